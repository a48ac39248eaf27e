"""A NOTIFY queue that is full refuses no commit of the source tables' writers, and none of ours."""

from contextlib import closing
from uuid import uuid4

import psycopg
import pytest
from django.db import ProgrammingError, transaction

from inbox.db.notify import SHARE, notify, queue_usage
from inbox.engine.enqueue import enqueue
from inbox.engine.wake import wake
from inbox.models import InboxJob
from inbox.operations.operation import apply
from inbox.operations.verbs import REQUEUE
from inbox.worker.hints import Hints
from tests.processes.notify_queue.conftest import DATABASE
from tests.support.probe import probe_source, wait_until
from tests.support.rows import esmd, job, send
from tests.support.servers.notify_queue import fill, is_full, usage
from tests.support.status import sql

INSERT = "INSERT INTO integration_send_serviceops (payload) SELECT '{}' FROM generate_series(1, %s)"
INSERT_CLINICAL = "INSERT INTO service_ops_send_serviceops (decision_tracking_id) VALUES (gen_random_uuid())"
DECIDE = "UPDATE service_ops_send_serviceops SET clinical_ops_decision_json = '{}'"
ONE_PAGE = 1 / 64


def test_writers_commit_while_it_is_full_even_if_it_filled_up_after_their_rows(here, listener, stranger, server):
    with server.connect(DATABASE) as early:
        early.execute("BEGIN")
        early.execute(INSERT, [1])
        early.execute(INSERT_CLINICAL)
        fill(stranger)
        early.execute("COMMIT")
    for statement, values in [(INSERT, [1]), (INSERT, [2000]), (INSERT_CLINICAL, []), (DECIDE, [])]:
        here.execute(statement, values)
    assert is_full(stranger)


def test_our_own_transactions_commit_while_it_is_full(here, listener, stranger):
    tracking = uuid4()
    waiting = job(status="WAITING", decision_tracking_id=tracking)
    dead = job(status="DEAD")
    fill(stranger)
    assert wake([tracking], why="a test") == 1
    assert apply(REQUEUE, InboxJob.objects.filter(pk=dead.pk), who="op", reason="a test", limit=1) == [dead.pk]
    assert enqueue("json_generator", "generate_payload", [(dead.pk, tracking)]) == 1
    assert InboxJob.objects.filter(pk__in=[waiting.pk, dead.pk], status="NEW").count() == 2
    assert is_full(stranger)


def test_a_worker_works_while_it_is_full(here, listener, stranger, start):
    tracking = uuid4()
    fill(stranger)
    message = send(esmd(tracking), tracking)
    process = start("run_inbox_worker", "--drain")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert InboxJob.objects.get(message_id=message, source="integration").status == "DONE"
    assert is_full(stranger)


@pytest.mark.parametrize("strings", ["on", "off"])
def test_what_is_prepared_for_two_phases_sends_no_hint_and_so_is_not_refused(here, strings):
    """Whatever the writer's literals mean, which decides how the trigger's are read; and without a warning."""
    here.execute(f"SET standard_conforming_strings = {strings}")
    notices = []
    here.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    here.execute("BEGIN")
    here.execute(INSERT, [1])
    here.execute("PREPARE TRANSACTION 'of a writer'")
    here.execute("COMMIT PREPARED 'of a writer'")
    assert not notices


def test_writers_stop_at_their_share_however_many_have_rows_in_flight(here, listener, server):
    """All begin below the share and commit above it or just at it; each adds one notification at most."""
    here.execute("SET synchronous_commit = off")
    while usage(here) < SHARE - ONE_PAGE:
        here.execute(INSERT, [1])
    in_flight = [server.connect(DATABASE) for _ in range(20)]
    for raw in in_flight:
        raw.execute("BEGIN")
        raw.execute(INSERT, [3])
    for _ in range(2000):
        here.execute(INSERT, [1])
    for raw in in_flight:
        raw.execute("COMMIT")
        raw.close()
    # Two pages of them.
    for _ in range(700):
        notify()
    assert SHARE <= usage(here) <= SHARE + ONE_PAGE


def test_a_role_that_may_not_ask_for_the_queue_writes_all_the_same(here):
    sql("REVOKE EXECUTE ON FUNCTION pg_notification_queue_usage() FROM PUBLIC")
    sql("CREATE ROLE writer; GRANT INSERT ON integration_send_serviceops TO writer")
    sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO writer")
    try:
        sql("SET ROLE writer")
        sql("INSERT INTO integration_send_serviceops (payload) VALUES ('{}')")
        notify()
        hints = Hints()
        assert hints.look_for_work([probe_source()]) is True
        assert not hints.are_sent
        assert queue_usage() is None
        with transaction.atomic():
            assert queue_usage() is None
            sql("INSERT INTO integration_send_serviceops (payload) VALUES ('{}')")
    finally:
        sql("RESET ROLE")
        sql("GRANT EXECUTE ON FUNCTION pg_notification_queue_usage() TO PUBLIC")
        sql("DROP OWNED BY writer; DROP ROLE writer")


def test_hints_go_on_after_a_right_was_missing_for_a_while(here):
    sql("CREATE ROLE worker; GRANT SELECT ON ALL TABLES IN SCHEMA public TO worker")
    hints = Hints()
    try:
        sql("REVOKE SELECT ON integration_inbox FROM worker; SET ROLE worker")
        with pytest.raises(ProgrammingError):
            hints.look_for_work([probe_source()])
        sql("RESET ROLE; GRANT SELECT ON integration_inbox TO worker; SET ROLE worker")
        hints.look_for_work([probe_source()])
        assert hints.are_sent
    finally:
        sql("RESET ROLE; DROP OWNED BY worker; DROP ROLE worker")


def commit_hangs(hanging, admin):
    """True if a commit that notifies waits for a standby; if none does yet, begin one."""
    hanging.pgconn.consume_input()
    if not hanging.pgconn.is_busy():
        while hanging.pgconn.get_result():
            pass
        hanging.pgconn.send_query(b"BEGIN; CREATE TEMP TABLE t () ON COMMIT DROP; NOTIFY x; COMMIT")
    return admin.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'").fetchone() == (1,)


def test_our_transactions_do_not_wait_for_a_commit_that_notifies_and_hangs(here, server):
    """A stranger's waits for a standby that is not there, and PostgreSQL lets only one notify at a time."""
    with server.connect() as admin, closing(server.connect()) as hanging:
        admin.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        admin.execute("SELECT pg_reload_conf()")
        try:
            wait_until(lambda: admin.execute("SHOW synchronous_standby_names").fetchone() == ("nobody",))
            wait_until(lambda: commit_hangs(hanging, admin))
            sql("SET synchronous_commit = local")
            made = job(status="DEAD")
            assert apply(REQUEUE, InboxJob.objects.filter(pk=made.pk), who="op", reason="a test", limit=1)
            assert InboxJob.objects.filter(pk=made.pk, status="NEW").exists()
            assert commit_hangs(hanging, admin)
        finally:
            admin.execute("ALTER SYSTEM RESET synchronous_standby_names")
            admin.execute("SELECT pg_reload_conf()")


@pytest.mark.parametrize("statement", ["ROLLBACK TO SAVEPOINT one", "RELEASE SAVEPOINT one"])
def test_a_hint_comes_with_the_rows_whatever_becomes_of_a_savepoint(here, server, statement):
    with server.connect(DATABASE) as hears:
        hears.execute("LISTEN inbox")
        here.execute("BEGIN")
        here.execute("SAVEPOINT one")
        here.execute(INSERT, [1])
        here.execute(statement)
        here.execute(INSERT, [1])
        here.execute("COMMIT")
        assert [one.payload for one in hears.notifies(timeout=20, stop_after=1)] == [""]


def test_the_share_of_the_trigger_is_that_of_the_code(here):
    (definition,) = here.execute("SELECT pg_get_functiondef('inbox_notify'::regproc)").fetchone()
    assert f"pg_notification_queue_usage() < {SHARE} " in definition


def test_a_full_queue_does_refuse_who_notifies(here, listener, stranger):
    """Otherwise nothing here shows anything."""
    fill(stranger)
    with pytest.raises(psycopg.errors.ProgramLimitExceeded):
        here.execute("NOTIFY inbox")
