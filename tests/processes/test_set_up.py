"""The set-up as real sessions get it: of a role with settings of its own, and behind a pooler that sets no limits."""

import json
import re
from contextlib import ExitStack
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory, mkdtemp
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import connection

from config.embedded_postgres.server import Server as EmbeddedServer
from tests.support.cluster import USER, Server, free_ports
from tests.support.pooler import Pooler

pytestmark = pytest.mark.django_db(transaction=True)

# Nobody listens there, so nothing is proved.
NOWHERE = ("--json", "--scratch-url", "postgresql://nobody@127.0.0.1:1/nothing")


def looked_at(run_command, *keys, **environment):
    """The findings of these rows, by key."""
    code, out, err = run_command("verify_locks", "--only", *keys, *NOWHERE, **environment)
    assert code == 1, err
    return {row["key"]: row["findings"] for row in json.loads(out)["rows"]}


@pytest.fixture
def login(db):
    """A role that logs in and may do everything with jobs, and the address with which it does."""
    name = f"t{uuid4().hex[:8]}_login"
    parts = urlsplit(settings.DATABASE_URL)
    netloc = f"{name}:only-for-tests@{parts.netloc.rpartition('@')[2]}"
    url = urlunsplit(parts._replace(netloc=netloc, path="/" + connection.settings_dict["NAME"]))
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'only-for-tests'; GRANT ALL ON integration_inbox TO {name}")
        yield name, url
        cursor.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


def test_the_isolation_level_of_a_role_fails_the_row_with_its_name(login, run_command):
    name, url = login
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER ROLE {name} SET default_transaction_isolation = 'repeatable read'")
    [found] = looked_at(run_command, "isolation", DATABASE_URL=url)["isolation"]
    assert found["about"] == f"setting default_transaction_isolation of role {name}"
    assert found["what"].startswith(f"is 'repeatable read', set by role {name}")
    assert found["mend"] == f"ALTER ROLE {name} RESET default_transaction_isolation;"


def test_a_role_in_whose_sessions_no_trigger_fires_fails_the_moves_of_jobs(login, run_command):
    name, url = login
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER ROLE {name} SET session_replication_role = 'replica'")
    told = looked_at(run_command, "status")["status"]
    assert f"setting session_replication_role of role {name}" in [found["about"] for found in told]
    code, out, err = run_command("verify_locks", "--only", "status", *NOWHERE, DATABASE_URL=url)
    assert (code, out) == (4, "")
    assert f"As a superuser: ALTER ROLE {name} RESET session_replication_role;" in err


def test_the_isolation_level_of_the_server_fails_the_row(run_command, db):
    folder = Path(mkdtemp(prefix="set-up-"))
    [port] = free_ports(1)
    folder.chmod(0o755)
    server = Server(folder / "server", port, default_transaction_isolation="repeatable read")
    try:
        server.make()
        url = f"postgresql://{USER}@127.0.0.1:{port}/postgres"
        assert run_command("migrate", "--verbosity", "0", DATABASE_URL=url)[0] == 0
        [found] = looked_at(run_command, "isolation", DATABASE_URL=url)["isolation"]
    finally:
        server.stop()
        rmtree(folder)
    assert found["what"].startswith("is 'repeatable read', set by the server")
    assert found["mend"].startswith("ALTER SYSTEM RESET default_transaction_isolation;")


class Careless(Pooler):
    """Sets no limits for its sessions, and drops those that clients ask for."""

    def config(self):
        return re.sub(r" connect_query='[^\n]*'", "", super().config())


@pytest.fixture
def behind(db):
    """Starts a pooler of that class; gives the environment of a process that goes through it."""
    parts = connection.get_connection_params()
    server = {name: parts.get(name) for name in ("host", "port", "dbname", "user", "password")}
    home = EmbeddedServer.of_project(settings.BASE_DIR).home if settings.USES_EMBEDDED_DATABASE else None
    with ExitStack() as stack:

        def start(kind):
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="pgbouncer-")))
            return {"DATABASE_URL": stack.enter_context(kind(folder, server, home=home)).url}

        yield start


def test_behind_a_pooler_that_sets_nothing_the_command_says_what_to_do(behind, run_command):
    code, out, err = run_command("verify_locks", "--quick", "--json", **behind(Careless))
    assert (code, out) == (4, "")
    assert "lock_timeout = '0' and not '5s'" in err
    assert "connect_query of deploy/pgbouncer.ini" in err
    assert "Traceback" not in err


def test_behind_a_pooler_as_we_set_it_up_nothing_is_wrong(behind, run_command):
    found = looked_at(run_command, "connections", "isolation", **behind(Pooler))
    assert found == {"connections": [], "isolation": []}
