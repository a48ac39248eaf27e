"""Another session has a table locked, as a migration has, for longer than lock_timeout: nobody loses an attempt."""

import threading
from contextlib import contextmanager

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from inbox import registry
from inbox.engine.hold_up import HoldUps
from inbox.engine.work import work
from inbox.events import Event, listening
from inbox.models import InboxJob
from inbox.worker.calls import MOST_WRITES
from inbox.worker.loop import Worker
from packets.models import Packet
from tests.support.log_lines import lines
from tests.support.outbound import Service, outbound_source, outbound_worker
from tests.support.outbound import running as outbound_running
from tests.support.probe import claim_all, many_jobs, probe_source, wait_until
from tests.support.rows import esmd, seconds_ago, send, tracking_id

pytestmark = pytest.mark.django_db(transaction=True)

TOLD = (Event.HELD_UP, Event.INGEST_REFUSED, Event.DATABASE_REFUSED)
MESSAGES = 5


@pytest.fixture(autouse=True)
def short_wait(monkeypatch):
    """Everyone waits 0.2 s for a lock, so that a test need not hold one for longer than five seconds."""
    monkeypatch.setattr("inbox.engine.work.LOCK_WAIT_ALONE_S", 0.2)
    connection.close()
    options = connection.settings_dict["OPTIONS"]
    monkeypatch.setitem(options, "options", f"{options.get('options', '')} -c lock_timeout=200".strip())
    yield
    connection.close()


@contextmanager
def running(hear):
    """A worker of the sources of `run_inbox_worker` in a thread, during the block; `hear` hears its events."""
    worker = Worker(
        sources=registry.sources_of("run_inbox_worker"), worker_id="worker A", batch_size=200, poll_interval_s=0.05
    )

    def run():
        with listening(hear):
            worker.run()
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield worker
    finally:
        worker.stop.ask()
        thread.join(60)
    assert not thread.is_alive()


def noting(told):
    return lambda event, counts: told.append(event)


def refused(told):
    return [event for event in told if event in TOLD]


def other_session():
    return psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor})


def is_done(count):
    return lambda: InboxJob.objects.filter(status="DONE").count() == count


@pytest.mark.parametrize("table", ["packet", "packet_event", "integration_inbox", "poll_watermark"])
def test_a_locked_table_costs_no_attempt_and_work_goes_on_when_it_is_free(table):
    told: list[Event] = []
    for number in range(MESSAGES):
        send(esmd(), tracking_id(number))
    with other_session() as other:
        other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        with running(noting(told)):
            wait_until(lambda: refused(told))
            if table.startswith("packet"):
                notes = set(InboxJob.objects.values_list("note", flat=True))
                assert all(f"; table {table} is locked by pid {other.info.backend_pid} (" in note for note in notes)
            other.rollback()
            wait_until(is_done(MESSAGES))
    rows = InboxJob.objects.values_list("status", "attempt_count", "errors", "note", "waiting_since")
    assert list(rows) == [("DONE", 1, [], None, None)] * MESSAGES
    assert Packet.objects.count() == MESSAGES


def test_an_inbox_that_is_locked_while_a_claim_is_in_hand_costs_no_attempt():
    told: list[Event] = []
    for number in range(MESSAGES):
        send(esmd(), tracking_id(number))
    with other_session() as other:

        def lock_after_the_claim(event, counts):
            if event is Event.CLAIMED and event not in told:
                other.execute("LOCK TABLE integration_inbox IN ACCESS EXCLUSIVE MODE")
            told.append(event)

        with lines() as written, running(lock_after_the_claim):
            wait_until(lambda: Event.DATABASE_REFUSED in told)
            other.rollback()
            wait_until(is_done(MESSAGES))
    assert Event.GIVEN_BACK in told
    [line] = [line for line in written if line["event"] == Event.DATABASE_REFUSED.value[2]]
    assert "; table integration_inbox is locked by pid " in line["error"]
    assert set(InboxJob.objects.values_list("attempt_count", "last_error", "runs_alone")) == {(1, None, False)}


def test_the_answer_of_a_call_is_kept_while_the_inbox_is_locked(monkeypatch):
    refusals: list[int] = []
    monkeypatch.setattr("inbox.worker.recovery.jittered_pause_s", lambda: refusals.append(1) or 0.01)
    many_jobs(1)
    # It would be blamed if its answer counted as one that breaks the connection.
    InboxJob.objects.update(runs_alone=True)
    service = Service()
    with other_session() as other, outbound_running(outbound_worker(outbound_source(service)), service=service):
        service.wait_for(1)
        other.execute("LOCK TABLE integration_inbox IN ACCESS EXCLUSIVE MODE")
        service.open()
        wait_until(lambda: len(refusals) > MOST_WRITES + 2)
        other.rollback()
        wait_until(is_done(1))
    assert list(InboxJob.objects.values_list("attempt_count", "errors")) == [(1, [])]
    assert service.calls == {1: 1}


def test_rows_of_a_locked_table_are_ingested_when_it_is_free():
    told: list[Event] = []
    with other_session() as other, running(noting(told)):
        other.execute("LOCK TABLE integration_send_serviceops IN ACCESS EXCLUSIVE MODE")
        wait_until(lambda: refused(told))
        other.rollback()
        send(esmd(), tracking_id(1))
        wait_until(is_done(1))
    assert InboxJob.objects.get().errors == []


def test_a_row_that_somebody_has_locked_holds_up_its_own_message_only():
    send(esmd(), tracking_id(1))
    with running(noting([])):
        wait_until(is_done(1))
    # In the middle: a batch whose first job is refused waits with it.
    _, again, *_ = [send(esmd(), tracking_id(number)) for number in (2, 1, *range(3, 2 + MESSAGES))]
    told: list[Event] = []
    held_up: list[int] = []

    def hear(event, counts):
        told.append(event)
        if event is Event.HELD_UP:
            held_up.append(counts.given_back)

    with other_session() as other:
        other.execute("SELECT 1 FROM packet FOR UPDATE")
        with running(hear):
            wait_until(is_done(1 + MESSAGES))
            wait_until(lambda: len(held_up) > 1)
            wait_until(InboxJob.objects.filter(message_id=again, runs_alone=True, status="NEW").exists)
            other.rollback()
            wait_until(is_done(2 + MESSAGES))
    assert set(held_up) == {1}
    assert Event.HOLD_UP_BEGAN not in told
    assert set(InboxJob.objects.values_list("attempt_count", "last_error")) == {(1, None)}


def test_a_statement_that_ran_out_of_time_waiting_for_a_lock_costs_nothing():
    def handler(jobs):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '100ms'; SET LOCAL lock_timeout = 0")
            cursor.execute("LOCK TABLE packet")

    many_jobs(1)
    InboxJob.objects.update(runs_alone=True)
    with other_session() as other:
        other.execute("LOCK TABLE packet")
        assert work(claim_all(probe_source(handler))).given_back == 1
    [(attempts, note)] = InboxJob.objects.values_list("attempt_count", "note")
    assert attempts == 0
    assert "(SQLSTATE 57014); table packet is locked by pid " in note


def test_jobs_that_are_alone_by_now_do_not_wait_for_a_locked_table_one_after_another():
    def handler(jobs):
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE packet")

    many_jobs(3)
    InboxJob.objects.update(runs_alone=True)
    hold_ups = HoldUps()
    source = probe_source(handler)
    with other_session() as other:
        other.execute("LOCK TABLE packet")
        assert work(claim_all(source), hold_ups=hold_ups).given_back == 1
    assert hold_ups.open_types(source) == ()
    assert InboxJob.objects.filter(note__startswith="held up: ").count() == 1


def test_a_job_alone_whose_session_is_ended_while_it_waits_for_a_lock_is_never_blamed():
    """As by a script that ends all sessions that wait."""

    def handler(jobs):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    many_jobs(1)
    InboxJob.objects.update(runs_alone=True)
    with other_session() as other:
        other.execute("LOCK TABLE packet")
        for _ in range(3):
            InboxJob.objects.update(next_attempt_at=seconds_ago(1))
            Worker(sources=[probe_source(handler)], worker_id="w", batch_size=9, poll_interval_s=0.01).once()
            assert list(InboxJob.objects.values_list("status", "attempt_count", "errors")) == [("NEW", 0, [])]


def test_commands_and_pages_say_who_is_in_the_way_and_to_try_again(admin_client):
    with other_session() as other:
        other.execute("LOCK TABLE integration_inbox IN ACCESS EXCLUSIVE MODE")
        who = f"table integration_inbox is locked by pid {other.info.backend_pid} "
        for command, *arguments in (["inbox_status"], ["requeue_jobs", "--id=1", "--reason=x"], ["reclaim_stuck_jobs"]):
            with pytest.raises(CommandError, match=r"the database refused: .*SQLSTATE 55P03") as refused:
                call_command(command, *arguments)
            assert who in str(refused.value)
        answer = admin_client.get("/admin/inbox/inboxjob/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert answer["Cache-Control"] == "no-store"
    assert "a lock was not given in time" in answer.content.decode()
