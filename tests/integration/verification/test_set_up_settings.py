"""Settings in force: who set what, what it endangers, and the command that mends it."""

import pytest
from django.db import connection

from verification.row import Row
from verification.set_up.inspect import inspect
from verification.set_up.watched import WATCHED

pytestmark = pytest.mark.django_db

NAMES = tuple(watched.name for watched in WATCHED)


def run(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)


def value(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


def findings(*settings):
    row = Row("a-row", "0", "A row", "Nothing is lost.", "By these.", (), (), settings=settings)
    return inspect([row]).findings["a-row"]


@pytest.fixture
def me(db):
    return value("SELECT quote_ident(session_user)")


@pytest.fixture
def here(db):
    return value("SELECT quote_ident(current_database())")


def test_as_installed_no_setting_endangers_anything(db):
    assert findings(*NAMES, "search_path") == []


@pytest.mark.parametrize("level", ["repeatable read", "serializable", "read uncommitted"])
def test_an_isolation_level_set_by_role(me, level):
    run(f"ALTER ROLE {me} SET default_transaction_isolation = '{level}'")
    [found] = findings("default_transaction_isolation")
    assert found.about == f"setting default_transaction_isolation of role {me}"
    assert found.what.startswith(f"is '{level}', set by role {me};")
    assert found.mend == f"ALTER ROLE {me} RESET default_transaction_isolation;"
    run(found.mend)
    assert findings("default_transaction_isolation") == []


def test_an_isolation_level_that_reaches_our_own_sessions(me):
    """As of an address whose options the pooler drops."""
    run("SET LOCAL default_transaction_isolation = 'repeatable read'")
    [found] = findings("default_transaction_isolation")
    assert found.what == "is 'repeatable read', set by the session itself"


def test_an_isolation_level_set_by_role_in_this_database(me, here):
    run(f"ALTER ROLE {me} IN DATABASE {here} SET default_transaction_isolation = 'serializable'")
    run(f"ALTER DATABASE {here} SET default_transaction_isolation = 'read committed'")
    [found] = findings("default_transaction_isolation")
    assert found.what.startswith(f"is 'serializable', set by role {me} in database {here};")
    assert found.mend == f"ALTER ROLE {me} IN DATABASE {here} RESET default_transaction_isolation;"


def test_an_isolation_level_set_by_database(here):
    run(f"ALTER DATABASE {here} SET default_transaction_isolation = 'repeatable read'")
    [found] = findings("default_transaction_isolation")
    assert found.what.startswith(f"is 'repeatable read', set by database {here};")
    assert found.mend == f"ALTER DATABASE {here} RESET default_transaction_isolation;"


def test_an_isolation_level_set_for_all_roles(db):
    run("ALTER ROLE ALL SET default_transaction_isolation = 'repeatable read'")
    [found] = findings("default_transaction_isolation")
    assert found.what.startswith("is 'repeatable read', set by ALTER ROLE ALL;")
    assert found.mend == "ALTER ROLE ALL RESET default_transaction_isolation;"


def test_the_role_wins_over_the_database(me, here):
    run(f"ALTER DATABASE {here} SET default_transaction_isolation = 'repeatable read'")
    run(f"ALTER ROLE {me} SET default_transaction_isolation = 'read committed'")
    assert findings("default_transaction_isolation") == []


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("default_transaction_read_only", "on"),
        ("synchronous_commit", "off"),
        ("session_replication_role", "replica"),
        ("inbox.recorded_move", "yes"),
        ("track_counts", "off"),
        ("deadlock_timeout", "10s"),
        ("zero_damaged_pages", "on"),
        ("search_path", "pg_catalog"),
    ],
)
def test_what_a_role_sets_is_told_with_its_name(me, name, wrong):
    run(f"ALTER ROLE {me} SET {name} = '{wrong}'")
    [found] = findings(name)
    assert found.about == f"setting {name} of role {me}"
    assert f"'{wrong}', set by role {me}" in found.what.replace('"', "")
    assert found.mend == f"ALTER ROLE {me} RESET {name};"


@pytest.mark.parametrize(
    "name",
    [
        "lock_timeout",
        "statement_timeout",
        "idle_in_transaction_session_timeout",
        "client_connection_check_interval",
    ],
)
def test_a_session_without_limits(me, name):
    """As behind a pooler that does not set them. A role's setting does no harm while the session has its own."""
    run(f"ALTER ROLE {me} SET {name} = 0")
    assert findings(name) == []
    run(f"ALTER ROLE {me} RESET {name}; SET LOCAL {name} = 0")
    [found] = findings(name)
    assert found.what == "is '0', set by the session itself"
    assert "connect_query" in found.mend


@pytest.mark.parametrize(
    ("name", "wrong"), [("row_security", "off"), ("IntervalStyle", "iso_8601"), ("transform_null_equals", "on")]
)
def test_a_session_that_has_changed_what_it_proved(me, name, wrong):
    """The settings of a role do not reach it."""
    run(f"ALTER ROLE {me} SET {name} = '{wrong}'")
    assert findings(name) == []
    run(f"SET LOCAL {name} = '{wrong}'")
    [found] = findings(name)
    assert found.what == f"is '{wrong}', set by the session itself"


def test_another_program_is_told_of_only_where_its_sessions_matter(db):
    run(
        "CREATE ROLE another_program LOGIN; GRANT INSERT ON integration_send_serviceops TO another_program;"
        "ALTER ROLE another_program SET default_transaction_isolation = 'serializable';"
        "ALTER ROLE another_program SET session_replication_role = 'replica'"
    )
    [found] = findings("default_transaction_isolation", "session_replication_role")
    assert found.about == "setting session_replication_role of role another_program"


def test_every_login_that_works_on_jobs_is_looked_at(db):
    run(
        'CREATE ROLE "a worker" LOGIN; GRANT SELECT, UPDATE ON integration_inbox TO "a worker";'
        "ALTER ROLE \"a worker\" SET default_transaction_isolation = 'serializable'"
    )
    [found] = findings("default_transaction_isolation")
    assert found.mend == 'ALTER ROLE "a worker" RESET default_transaction_isolation;'


def test_a_path_that_finds_other_tables_first(me):
    run(f"CREATE SCHEMA other; CREATE TABLE other.packet (); ALTER ROLE {me} SET search_path = other, public")
    [found] = findings("search_path")
    assert found.what.startswith("finds tables of ours in schema other first, where they are in public")


def test_a_path_with_the_roles_own_schema_is_fine_if_that_has_no_table_of_ours(me):
    run(f"CREATE SCHEMA {me}; CREATE TABLE {me}.notes ()")
    assert findings("search_path") == []


def test_a_setting_that_no_row_names_is_told_by_the_row_it_belongs_to(me):
    run(f"ALTER ROLE {me} SET default_transaction_isolation = 'serializable'")
    row = Row("isolation", "10", "Isolation", "No stale data.", "READ COMMITTED", (), ())
    [found] = inspect([row]).findings["isolation"]
    assert "default_transaction_isolation" in found.about
