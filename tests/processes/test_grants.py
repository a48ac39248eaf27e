"""Each program can do its work with the least rights, and nothing else: real logins, in a database of their own."""

import json
import os
import socket
import subprocess
import sys
from uuid import uuid4

import httpx
import psycopg
import pytest
from django.conf import settings
from django.db import connection
from psycopg.errors import InsufficientPrivilege
from psycopg.sql import SQL, Identifier

from config.embedded_postgres.programs import binary
from tests.support.probe import wait_until
from tests.support.project import PROJECT
from tests.support.rows import esmd, tracking_id

PASSWORD = "only-for-tests"
PROGRAMS = ("integration", "clinicalops", "worker", "web")


class System:
    """A migrated database with roles of its own, and a login for each program."""

    def __init__(self, prefix):
        self.prefix = prefix
        parts = connection.get_connection_params()
        self.address = {key: parts[key] for key in ("host", "port") if parts.get(key)}
        self.admin = {**self.address, **{key: parts[key] for key in ("user", "password") if parts.get(key)}}
        self.name = f"{prefix}db"

    def login(self, program):
        return f"{self.prefix}{program}_login"

    def connect(self, program):
        return psycopg.connect(
            **self.address, user=self.login(program), password=PASSWORD, dbname=self.name, autocommit=True
        )

    def as_admin(self, *statements, dbname=None):
        with psycopg.connect(**self.admin, dbname=dbname or settings.DATABASES["default"]["NAME"]) as raw:
            raw.autocommit = True
            for statement in statements:
                raw.execute(statement)

    def environment(self, program):
        host, port = self.address.get("host", ""), self.address.get("port", 5432)
        url = f"postgresql://{self.login(program)}:{PASSWORD}@/{self.name}?host={host}&port={port}"
        wanted = {"DATABASE_URL": url, "DEBUG": "on", "DJANGO_SETTINGS_MODULE": "config.settings"}
        return {**os.environ, **wanted}

    def manage(self, program, *arguments, returncode=0):
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=PROJECT,
            env=self.environment(program),
            capture_output=True,
            text=True,
        )
        assert done.returncode == returncode, done.stderr
        return done.stdout

    def make(self):
        owner = self.login("owner")
        self.as_admin(
            SQL("CREATE ROLE {} LOGIN PASSWORD 'only-for-tests'").format(Identifier(owner)),
            SQL("CREATE DATABASE {} OWNER {}").format(Identifier(self.name), Identifier(owner)),
        )
        self.manage("owner", "migrate", "--verbosity", "0")
        printed = self.manage("owner", "sql_grants", "--prefix", self.prefix)
        self.as_admin(printed, printed, dbname=self.name)
        for program in PROGRAMS:
            self.as_admin(
                SQL("CREATE ROLE {} LOGIN PASSWORD 'only-for-tests' IN ROLE {}").format(
                    Identifier(self.login(program)), Identifier(self.prefix + program)
                )
            )

    def drop(self):
        self.as_admin(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(self.name)))
        roles = [self.login(program) for program in (*PROGRAMS, "owner")] + [self.prefix + name for name in PROGRAMS]
        for role in roles:
            self.as_admin(SQL("DROP ROLE IF EXISTS {}").format(Identifier(role)))


@pytest.fixture(scope="module")
def system(django_db_setup):
    made = System(f"t{uuid4().hex[:8]}_")
    try:
        made.make()
        yield made
    finally:
        made.drop()


def refused(raw, *statements):
    for statement in statements:
        with pytest.raises(InsufficientPrivilege):
            raw.execute(statement)


def value(raw, sql, *parameters):
    return raw.execute(sql, parameters).fetchone()[0]


def test_integration_writes_its_table_reads_its_outbox_and_wakes_workers(system):
    with system.connect("integration") as raw, system.connect("worker") as listening:
        listening.execute("LISTEN inbox")
        first = value(raw, "INSERT INTO integration_send_serviceops (payload) VALUES ('{}') RETURNING message_id")
        raw.execute(
            "INSERT INTO integration_send_serviceops (message_id, payload, created_at) VALUES (%s, '{}', now())",
            [first + 1000],
        )
        assert list(listening.notifies(timeout=20, stop_after=1))
        raw.execute("UPDATE integration_send_serviceops SET is_deleted = true")
        raw.execute("DELETE FROM integration_send_serviceops")
        with psycopg.connect(**system.admin, dbname=system.name, autocommit=True) as admin:
            admin.execute(
                "INSERT INTO send_integration (decision_tracking_id, payload, dedupe_key)"
                " VALUES (gen_random_uuid(), '{}', 'a test')"
            )
        raw.execute("SELECT * FROM send_integration")
        raw.execute("UPDATE send_integration SET message_status_id = 3, attempt_count = 1 WHERE dedupe_key = 'a test'")


def test_integration_can_do_nothing_else(system):
    with system.connect("integration") as raw:
        refused(
            raw,
            "UPDATE send_integration SET payload = '{}'",
            "DELETE FROM send_integration",
            "INSERT INTO send_integration (decision_tracking_id, payload, dedupe_key)"
            " VALUES (gen_random_uuid(), '{}', 'another')",
            "SELECT * FROM service_ops_send_serviceops",
            "SELECT * FROM integration_inbox",
            "SELECT * FROM packet",
            "SELECT * FROM auth_user",
            "TRUNCATE integration_send_serviceops",
            "SELECT nextval('packet_external_number')",
            "CREATE TABLE mine ()",
            "ALTER TABLE integration_send_serviceops DISABLE TRIGGER ALL",
        )


def test_clinical_ops_writes_its_columns_and_the_trigger_keeps_ours(system):
    with system.connect("clinicalops") as raw:
        message = value(
            raw,
            "INSERT INTO service_ops_send_serviceops (decision_tracking_id, clinical_ops_decision_json)"
            " VALUES (gen_random_uuid(), '{}') RETURNING message_id",
        )
        raw.execute(
            "UPDATE service_ops_send_serviceops SET clinical_ops_decision_json = '{\"a\": 1}',"
            " json_sent_to_integration = true WHERE message_id = %s",
            [message],
        )
        written = "SELECT decision_written_at IS NOT NULL FROM service_ops_send_serviceops WHERE message_id = %s"
        assert value(raw, written, message)
        raw.execute("UPDATE send_clinicalops SET is_picked = true, error_reason = NULL, message_status_id = 2")
        refused(
            raw,
            "UPDATE service_ops_send_serviceops SET is_decision_ingested = true",
            "UPDATE service_ops_send_serviceops SET clinical_decision_applied_at = now()",
            "INSERT INTO service_ops_send_serviceops (decision_tracking_id, decision_revision)"
            " VALUES (gen_random_uuid(), 9)",
            "UPDATE send_clinicalops SET payload = '{}'",
            "SELECT * FROM integration_send_serviceops",
            "SELECT * FROM send_integration",
            "SELECT * FROM packet_decision",
        )


@pytest.mark.parametrize(
    ("program", "tables"),
    [
        ("integration", ["integration_send_serviceops", "send_integration"]),
        ("clinicalops", ["send_clinicalops", "service_ops_send_serviceops"]),
    ],
)
def test_other_programs_reach_their_two_tables_and_no_third(system, program, tables):
    with system.connect(program) as raw:
        rows = raw.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'S')"
            "   AND CASE relkind WHEN 'S' THEN has_sequence_privilege(oid, 'USAGE, SELECT, UPDATE')"
            "       ELSE has_table_privilege(oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')"
            "            OR has_any_column_privilege(oid, 'SELECT, INSERT, UPDATE, REFERENCES') END ORDER BY 1"
        )
        assert [name for (name,) in rows] == tables


def test_nobody_but_the_owner_changes_what_is_append_only(system):
    for program in PROGRAMS:
        with system.connect(program) as raw:
            for table in ("inbox_audit", "packet_event", "packet_decision_message"):
                refused(raw, f"DELETE FROM {table}", f"TRUNCATE {table}")
            refused(raw, "DELETE FROM packet", "DELETE FROM packet_decision", "DROP TABLE packet", "CREATE TABLE x ()")


def test_workers_do_their_whole_work_and_operators_their_commands(system):
    with system.connect("integration") as raw:
        for number in (1, 2):
            raw.execute(
                "INSERT INTO integration_send_serviceops (decision_tracking_id, payload, channel_type_id)"
                " VALUES (%s, %s, 3)",
                [tracking_id(number), json.dumps(esmd())],
            )
        # A second intake replaces the first one's documents.
        raw.execute(
            "INSERT INTO integration_send_serviceops (decision_tracking_id, payload) VALUES (%s, %s)",
            [tracking_id(1), json.dumps(esmd(documents=[]))],
        )
    assert "3 done" in system.manage("worker", "run_inbox_worker", "--drain")
    with system.connect("clinicalops") as raw:
        raw.execute(
            "INSERT INTO service_ops_send_serviceops (decision_tracking_id, clinical_ops_decision_json)"
            ' VALUES (%s, \'{"decision_indicator": "A"}\')',
            [tracking_id(1)],
        )
    system.manage("worker", "run_clinical_ops_poller", "--once")
    with system.connect("worker") as raw:
        done = "SELECT count(*) FROM integration_inbox WHERE source = 'clinical_decision' AND status = 'DONE'"
        assert value(raw, done) == 1
        assert value(raw, "SELECT pg_has_role('pg_read_all_stats', 'USAGE')")
        refused(
            raw,
            "UPDATE integration_send_serviceops SET is_deleted = true",
            "UPDATE service_ops_send_serviceops SET payload = '{}'",
            "SELECT * FROM auth_user",
            "SELECT * FROM django_session",
        )
    system.manage("worker", "reclaim_stuck_jobs")
    system.manage("worker", "requeue_jobs", "--message-type", "intake", "--reason", "a test")
    system.manage("worker", "inbox_status", "--exact")
    with system.connect("worker") as raw:
        raw.execute(
            "UPDATE integration_inbox SET finished_at = now() - interval '9 days' WHERE status IN ('DONE', 'DEAD')"
        )
    assert " pruned: " in system.manage("worker", "prune_inbox", "--older-than", "7")


def test_workers_may_read_all_that_the_audit_looks_at(system):
    # A row of the outbox that no decision asked for: the audit has something to find, whatever other tests leave.
    system.as_admin(
        "INSERT INTO send_integration (decision_tracking_id, dedupe_key, payload)"
        " VALUES (gen_random_uuid(), 'of the audit', '{}')",
        dbname=system.name,
    )
    found = json.loads(system.manage("worker", "verify_locks", "--audit", "--json", returncode=1))["findings"]
    checks = {finding["check"] for finding in found}
    assert "rows of send_integration of no decision" in checks
    assert not {check for check in checks if check.startswith("not looked at")}


def test_staff_decide_and_see_every_page(system):
    staff = (
        "from django.contrib.auth.models import User; User.objects.create_superuser('ada', password='only-for-tests')"
    )
    system.manage("owner", "shell", "--no-imports", "-c", staff)
    with system.connect("integration") as raw:
        raw.execute(
            "INSERT INTO integration_send_serviceops (decision_tracking_id, payload) VALUES (%s, %s)",
            [tracking_id(7), json.dumps(esmd())],
        )
    system.manage("worker", "run_inbox_worker", "--drain")
    script = (
        "from uuid import uuid4; from django.db import transaction; from decisions.staff.approve import approve;"
        "from packets.models import Packet\n"
        "with transaction.atomic(): approve(Packet.objects.last().pk, by='ada', reason='a test', seen=None,"
        " correlation_id=uuid4())"
    )
    system.manage("web", "shell", "--no-imports", "-c", script)
    system.manage("web", "requeue_jobs", "--tracking-id", str(tracking_id(7)), "--reason", "a test")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}/admin/"
    process = subprocess.Popen(
        [sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"],
        cwd=PROJECT,
        env=system.environment("web"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(timeout=30, follow_redirects=True) as client:
            wait_until(lambda: _answers(client, f"{address}login/"))
            data = {"username": "ada", "password": PASSWORD, "csrfmiddlewaretoken": client.cookies["csrftoken"]}
            page = client.post(f"{address}login/?next=/admin/", data=data)
            assert page.status_code == 200
            links = {part.split('"')[0] for part in page.text.split('href="/admin/')[1:]}
            lists = sorted(link for link in links if link.count("/") == 2 and not link.startswith("password"))
            assert len(lists) > 10
            assert {link: client.get(address + link).status_code for link in lists} == dict.fromkeys(lists, 200)
    finally:
        process.kill()
        process.wait()


def _answers(client, address):
    try:
        return client.get(address).status_code == 200
    except httpx.TransportError:
        return False


WAITING = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'psql' AND wait_event_type = 'Lock'"


def test_whoever_works_while_the_grants_are_given_again_has_his_rights(system):
    """psql is held in the middle, just after the script revoked what an earlier version granted."""
    script = system.manage("owner", "sql_grants", "--prefix", system.prefix)
    to = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
    environment = os.environ | {to[key]: str(value) for key, value in system.admin.items()}
    words = [binary("psql"), "-X", "-v", "ON_ERROR_STOP=1", "-q", "-d", system.name]
    pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with (
        subprocess.Popen(words, env=environment, **pipes) as psql,
        psycopg.connect(**system.admin, dbname=system.name) as holding,
        system.connect("worker") as raw,
    ):
        holding.execute(SQL("GRANT USAGE ON SCHEMA public TO {}").format(Identifier(system.login("owner"))))
        psql.stdin.write(script)
        psql.stdin.close()
        wait_until(lambda: value(raw, WAITING))
        raw.execute("SELECT * FROM integration_inbox")
        holding.rollback()
        said = psql.stderr.read()
        psql.wait(20)
        assert psql.returncode == 0, said
        raw.execute("SELECT * FROM integration_inbox")


@pytest.mark.parametrize("program", PROGRAMS)
def test_nobody_makes_tables_not_even_for_a_moment(system, program):
    with system.connect(program) as raw:
        refused(raw, "CREATE TABLE mine (id int)", "CREATE TEMPORARY TABLE mine (id int)")
