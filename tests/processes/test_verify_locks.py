"""The life of a scratch database, with real processes: however a run of verify_locks ends, nothing is left of it."""

import json
import signal
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psutil
import psycopg
import pytest
from django.conf import settings
from django.db import connection

from config.embedded_postgres.server import Server
from tests.support.embedded_server import is_alive
from tests.support.pooler import Pooler
from tests.support.probe import wait_until
from verification.proof.scratch import LIMIT, LOCK_CLASS, PREFIX

pytestmark = pytest.mark.django_db(transaction=True)

# The first of these has forked worker processes of its own by the time it is proved.
ROWS = ("--only", "presence", "wake")


@pytest.fixture
def server():
    """A session on the server that may create databases and roles."""
    parts = connection.get_connection_params()
    address = {key: parts[key] for key in ("host", "port", "user", "password") if parts.get(key)}
    with psycopg.connect(**address, dbname=settings.DATABASES["default"]["NAME"], autocommit=True) as raw:
        yield raw


def scratch_databases(server):
    found = server.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [PREFIX.replace("_", r"\_") + "%"])
    return {name for (name,) in found.fetchall()}


@pytest.fixture(autouse=True)
def signals_are_heard():
    """By the commands that are started here, even if these tests run under nohup, or in the background of a script."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGHUP, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def in_the_middle(start_command):
    """Starts a run, and returns it with the processes that it has started, once the first race is proved."""

    def start():
        run = start_command("verify_locks", *ROWS)
        assert any(line.endswith(": proved\n") for line in run.stderr), "it ended before one race was proved"
        others = psutil.Process(run.pid).children(recursive=True)
        assert len(others) >= 2, "the process that proves, and the one that forks workers"
        return run, others

    return start


def all_end(processes):
    wait_until(lambda: not any(is_alive(process) for process in processes))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_no_database_and_no_process(in_the_middle, server, number):
    run, others = in_the_middle()
    assert len(scratch_databases(server)) == 1
    run.send_signal(number)
    out, err = run.communicate(timeout=30)
    assert (run.returncode, out) == (1, "")
    assert err.endswith("CommandError: Stopped; nothing is left behind.\n")
    assert scratch_databases(server) == set()
    all_end(others)


def test_a_run_that_was_killed_is_cleared_away_by_the_next_and_nothing_else_is(in_the_middle, server, run_command):
    run, others = in_the_middle()
    [left] = scratch_databases(server)
    run.kill()
    run.wait()
    all_end(others)
    number = 0x00C0FFEE
    in_use, not_ours, similar = f"{PREFIX}{number:08x}", f"{PREFIX}deadbeef", f"{PREFIX}deadbeef1"
    server.execute("SELECT pg_advisory_lock(%s, %s)", [LOCK_CLASS, number])
    server.execute(f"CREATE DATABASE {in_use} CONNECTION LIMIT {LIMIT}")
    server.execute(f"CREATE DATABASE {not_ours}")
    server.execute(f"CREATE DATABASE {similar} CONNECTION LIMIT {LIMIT}")
    try:
        assert left in scratch_databases(server)
        code, out, err = run_command("verify_locks", "--only", "claiming", "--quick")
        assert code == 0, out + err
        assert scratch_databases(server) == {in_use, not_ours, similar}
    finally:
        for name in (in_use, not_ours, similar):
            server.execute(f"DROP DATABASE {name}")


def test_a_run_whose_proving_process_is_killed_says_so_and_leaves_nothing(in_the_middle, server):
    run, others = in_the_middle()
    [prover] = psutil.Process(run.pid).children()
    prover.kill()
    out, err = run.communicate(timeout=30)
    assert run.returncode == 1
    assert "was killed by SIGKILL" in " ".join(out.split())
    assert "Traceback" not in err
    assert scratch_databases(server) == set()
    all_end(others)


@pytest.fixture
def reader(server):
    """The address of a role that may read the tests' database, and do nothing else anywhere."""
    role, name = f"reader_{uuid4().hex[:8]}", connection.settings_dict["NAME"]
    server.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'only-for-tests'")
    with connection.cursor() as cursor:
        cursor.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    parts = connection.get_connection_params()
    host, port = parts.get("host", ""), parts.get("port") or 5432
    yield role, f"postgresql://{role}:only-for-tests@/{name}?host={host}&port={port}"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP OWNED BY {role}")
    server.execute(f"DROP ROLE {role}")


def test_a_role_that_may_not_create_a_database_is_told_and_the_set_up_is_still_checked(reader, run_command):
    code, out, err = run_command("verify_locks", "--only", "claiming", "--json", DATABASE_URL=reader[1])
    assert code == 1, out + err
    report = json.loads(out)
    assert "may not create a database" in report["why_no_proofs"]
    assert [row["verdict"] for row in report["rows"]] == ["SET_UP_ONLY"]
    assert "Traceback" not in err


def test_select_and_createdb_are_enough(reader, run_command, server):
    server.execute(f"ALTER ROLE {reader[0]} CREATEDB")
    code, out, err = run_command("verify_locks", "--only", "claiming", "--quick", DATABASE_URL=reader[1])
    assert code == 0, out + err
    assert scratch_databases(server) == set()


def test_another_server_or_role_may_have_the_scratch_database(reader, run_command, command_environment):
    url = command_environment["DATABASE_URL"]
    words = ("verify_locks", "--only", "claiming", "--quick", "--scratch-url", url)
    code, out, err = run_command(*words, DATABASE_URL=reader[1])
    assert code == 0, out + err


@pytest.fixture
def schema(server, command_environment):
    """The address of a database whose tables are in a schema with an odd name."""
    name = f"odd_{uuid4().hex[:8]}"
    parts = urlsplit(command_environment["DATABASE_URL"])
    options = "options=-c%20search_path%3D%22Odd%5C%20schema%22"
    url = urlunsplit(parts._replace(path=f"/{name}", query="&".join(filter(None, [parts.query, options]))))
    server.execute(f"CREATE DATABASE {name}")
    try:
        with psycopg.connect(urlunsplit(parts._replace(path=f"/{name}"))) as raw:
            raw.execute('CREATE SCHEMA "Odd schema"')
        yield url
    finally:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_tables_may_be_in_another_schema(schema, run_command):
    assert run_command("migrate", "--verbosity", "0", DATABASE_URL=schema)[0] == 0
    code, out, err = run_command("verify_locks", "--only", "claiming", "presence", "--quick", DATABASE_URL=schema)
    assert code == 0, out + err


def test_limits_and_styles_of_the_role_keep_nothing_from_being_proved(reader, run_command, server):
    role, url = reader
    server.execute(f"ALTER ROLE {role} CREATEDB")
    for setting in (
        "statement_timeout = '10ms'",
        "lock_timeout = '10ms'",
        "idle_session_timeout = '1s'",
        "DateStyle = 'German'",
    ):
        server.execute(f"ALTER ROLE {role} SET {setting}")
    # A deadlock of this row keeps other sessions idle for a second.
    code, out, err = run_command("verify_locks", "--only", "packets", "--quick", DATABASE_URL=url)
    assert code == 0, out + err
    assert scratch_databases(server) == set()


def test_a_session_in_template1_is_in_nobodys_way(server, run_command):
    parts = connection.get_connection_params()
    address = {key: parts[key] for key in ("host", "port", "user", "password") if parts.get(key)}
    with psycopg.connect(**address, dbname="template1"):
        code, out, err = run_command("verify_locks", "--only", "claiming", "--quick")
    assert code == 0, out + err


@pytest.fixture
def pooled(command_environment):
    """Starts a pooler of the tests' database; returns the environment of a process that goes through it."""
    parts = connection.get_connection_params()
    server = {name: parts.get(name) for name in ("host", "port", "dbname", "user", "password")}
    home = Server.of_project(settings.BASE_DIR).home if settings.USES_EMBEDDED_DATABASE else None
    with ExitStack() as stack:

        def start(**options):
            # Not in pytest's own folder: as root, the pooler runs as another user, who may not enter that.
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="pgbouncer-")))
            pooler = stack.enter_context(Pooler(folder, server, home=home, **options))
            return {"DATABASE_URL": pooler.url, "DATABASE_DIRECT_URL": command_environment["DATABASE_URL"]}

        yield start


def troubles_of(rows):
    """Findings of all rows, and the races that broke a promise or could not run."""
    runs = [(row["key"], proof["race"], proof["run"]) for row in rows for proof in row["proofs"]]
    return [finding for row in rows for finding in row["findings"]] + [
        (key, race, run["broken"], run["error"]) for key, race, run in runs if run["broken"] or run["error"]
    ]


def way_of(out):
    return json.loads(out)["head"]["proved_on"]


def test_behind_a_pooler_that_leads_to_every_database_all_rows_are_proved_through_it(pooled, run_command):
    environment = pooled(size=40, is_open=True)
    code, out, err = run_command("verify_locks", "--quick", "--json", **environment)
    rows = json.loads(out)["rows"]
    assert {row["key"]: row["verdict"] for row in rows if row["verdict"] != "PROVED"} == {}, troubles_of(rows)
    assert code == 0, err
    assert "through the pooler of DATABASE_URL" in way_of(out)


@pytest.mark.parametrize("options", [{"size": 40}, {"size": 4, "is_open": True}], ids=["one database", "few sessions"])
def test_a_pooler_that_does_not_lead_to_a_scratch_database_is_passed_by(pooled, run_command, options):
    code, out, err = run_command("verify_locks", "--only", "claiming", "--quick", "--json", **pooled(**options))
    assert code == 0, out + err
    assert way_of(out).endswith("directly")


def test_with_a_pooler_and_nothing_else_there_is_no_proof(pooled, run_command):
    environment = pooled(size=40, is_open=True) | {"DATABASE_DIRECT_URL": ""}
    code, out, err = run_command("verify_locks", "--only", "claiming", "--quick", "--json", **environment)
    assert code == 1, out + err
    assert "Set DATABASE_DIRECT_URL" in json.loads(out)["why_no_proofs"]
