"""A session that can't have what the promises stand on refuses to work, and says what to do."""

from contextlib import closing
from unittest.mock import patch
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import OperationalError, connection

from config.database_url import database
from tests.support.probe import wait_until
from tests.support.servers.harmful_settings import TARGETS, harmed

pytestmark = pytest.mark.django_db(transaction=True)

POOL = {"min_size": 1, "max_size": 1, "timeout": 60}


@pytest.fixture
def login(db):
    """The name of a role that logs in, and is no superuser."""
    name = f"t{uuid4().hex[:8]}"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'only-for-tests'")
    yield name
    with connection.cursor() as cursor:
        cursor.execute(f"DROP ROLE {name}")


@pytest.fixture(params=["SQL_ASCII", "LATIN1"])
def elsewhere(request, db):
    """The name of a database with another encoding."""
    name = f"t{uuid4().hex[:8]}"
    with connected() as admin, admin.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} ENCODING '{request.param}' LOCALE 'C' TEMPLATE template0")
        yield name
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def connected(**changes):
    """A new connection, in a context, with these changes of its settings."""
    copy = connection.copy()
    copy.settings_dict |= changes
    return closing(copy)


def asking_for(option):
    """The options of an address that asks for this setting."""
    url = settings.DATABASE_URL + ("&" if "?" in settings.DATABASE_URL else "?") + f"options=-c%20{option}"
    return {"OPTIONS": database("DATABASE_URL", url)["OPTIONS"]}


@pytest.mark.parametrize(
    ("target", "mend"),
    [
        (TARGETS[0], "ALTER DATABASE {database} RESET session_replication_role;"),
        ("ROLE {role}", "ALTER ROLE {role} RESET session_replication_role;"),
        (
            "ROLE {role} IN DATABASE {database}",
            "ALTER ROLE {role} IN DATABASE {database} RESET session_replication_role;",
        ),
    ],
)
def test_what_a_role_may_not_put_right_is_refused_with_who_set_it(login, target, mend):
    names = {"role": login, "database": connection.settings_dict["NAME"]}
    as_login = {"USER": login, "PASSWORD": "only-for-tests"}
    with (
        harmed(target.format(**names), "session_replication_role"),
        connected(**as_login) as other,
        pytest.raises(OperationalError) as refused,
    ):
        other.ensure_connection()
    text = f"sessions of role {login} run with session_replication_role = 'replica' and not 'origin'. As a superuser: "
    assert str(refused.value) == text + mend.format(**names)


def test_a_session_that_is_read_only_on_purpose_remains_so():
    with connected(**asking_for("default_transaction_read_only%3Don")) as other, other.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        assert cursor.fetchone() == ("on",)


@pytest.fixture
def server_of_read_only(db):
    """Somebody keeps writes away from the server."""

    def are(value):
        with connected() as other, other.cursor() as cursor:
            cursor.execute("SHOW default_transaction_read_only")
            return cursor.fetchone() == (value,)

    with connected() as admin, admin.cursor() as cursor:
        cursor.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        try:
            cursor.execute("SELECT pg_reload_conf()")
            wait_until(lambda: are("on"))
            yield
        finally:
            cursor.execute("ALTER SYSTEM RESET default_transaction_read_only")
            cursor.execute("SELECT pg_reload_conf()")
            wait_until(lambda: are("off"))


def test_so_does_one_of_a_server_that_is_read_only(server_of_read_only):
    with connected() as other, other.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        assert cursor.fetchone() == ("on",)


def test_an_address_may_change_limits_and_nothing_else():
    both = asking_for("statement_timeout%3D77s%20-c%20DateStyle%3DGerman")
    with connected(**both) as other, other.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout'), current_setting('DateStyle')")
        assert cursor.fetchone() == ("77s", "ISO, MDY")


def test_commands_refuse_a_database_of_another_encoding(elsewhere, run_command):
    url = urlunsplit(urlsplit(settings.DATABASE_URL)._replace(path=f"/{elsewhere}"))
    for command in (("migrate",), ("run_inbox_worker", "--drain")):
        code, out, err = run_command(*command, DATABASE_URL=url)
        assert (code, out) == (4, ""), err
        assert f"manage.py: the database {elsewhere} has the encoding" in err
        assert "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0;" in err
        assert "Traceback" not in err


@pytest.mark.parametrize("command", [("inbox_status",), ("run_inbox_worker", "--drain")])
def test_commands_say_where_they_look_for_tables(run_command, command):
    """Somebody has set another search_path for the role or the database."""
    address = (
        settings.DATABASE_URL + ("&" if "?" in settings.DATABASE_URL else "?") + "options=-c%20search_path%3Dnowhere"
    )
    code, _, err = run_command(*command, DATABASE_URL=address)
    assert code == 1
    assert "a table is missing; are all migrations applied?" in err
    assert " looks for tables in: nowhere (search_path, " in err
    assert "Traceback" not in err


@pytest.mark.parametrize("pool", [None, POOL])
def test_the_web_says_so(elsewhere, client, pool):
    connection.close()
    options = connection.settings_dict["OPTIONS"] | {"pool": pool}
    with patch.dict(connection.settings_dict, NAME=elsewhere, OPTIONS=options):
        # The second time too: what was refused does not keep its place in the pool.
        answers = [client.get("/readyz") for _ in range(2)]
        connection.close()
        connection.close_pool()
    assert [answer.status_code for answer in answers] == [503, 503]
    assert all(f"the database {elsewhere} has the encoding" in answer.content.decode() for answer in answers)


def test_a_pool_proves_a_session_once(django_assert_num_queries):
    with connected(OPTIONS=connection.settings_dict["OPTIONS"] | {"pool": POOL}) as other:
        other.alias = "pooled"
        with patch("config.postgresql.base.prove") as proved:
            for _ in range(3):
                other.ensure_connection()
                other.close()
        assert proved.call_count == 1
        other.close_pool()
