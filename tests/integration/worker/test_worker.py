"""The worker's loop in this process: what it does when the database refuses, and what a drain covers."""

import threading

import psycopg
import pytest
from django.db import InternalError, OperationalError, connection

from inbox.db.errors import is_connection_lost
from inbox.models import InboxJob, InboxWorker
from inbox.worker.liveness import reclaim_from_gone
from inbox.worker.loop import Worker
from inbox.worker.presence import Presence
from inbox.worker.signals import StopNow
from tests.support.probe import leave_witnesses, make_witness_table, many_jobs, probe_source, wait_until, witnesses
from tests.support.rows import job, seconds_ago, send

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def witness_table(transactional_db):
    make_witness_table()


def worker(handler=None, **options):
    defaults = {"batch_size": 10, "poll_interval_s": 0.01, "worker_id": "worker A"}
    return Worker(sources=[probe_source(handler)], **defaults | options)


def test_a_message_that_breaks_the_connection_is_found_and_its_neighbours_lose_nothing(settings):
    settings.INBOX_BACKOFF = (0.001,)
    keys = many_jobs(20)

    def handler(jobs):
        if any(held.inbox_id == keys[2] for held in jobs):
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return leave_witnesses(jobs)

    busy = worker(handler)
    while InboxJob.objects.exclude(status__in=["DONE", "DEAD"]).exists():
        busy.drain()
    killer = InboxJob.objects.get(pk=keys[2])
    assert (killer.status, killer.attempt_count, len(killer.errors)) == ("DEAD", 5, 5)
    assert witnesses() == [key for key in keys if key != keys[2]]
    assert set(InboxJob.objects.filter(status="DONE").values_list("attempt_count", flat=True)) == {1}


def test_what_is_held_is_given_back_when_the_loop_ends_after_a_lost_connection():
    many_jobs(3)

    def handler(jobs):
        busy.stop.ask()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    busy = worker(handler)
    busy.run()
    assert set(InboxJob.objects.values_list("status", "attempt_count")) == {("NEW", 0)}


def test_what_a_cut_off_session_still_has_locked_is_given_back_as_soon_as_that_session_ends():
    many_jobs(3)
    cut_off = []

    def handler(jobs):
        # As after a signal in the middle of a query: the client has closed, and the server has not noticed yet.
        cut_off.append(connection.connection)
        connection.connection = None
        threading.Timer(0.3, cut_off[0].close).start()
        raise StopNow

    with pytest.raises(StopNow):
        worker(handler).run()
    assert set(InboxJob.objects.values_list("status", "attempt_count")) == {("NEW", 0)}


def test_a_worker_that_must_leave_jobs_behind_stays_registered(monkeypatch):
    monkeypatch.setattr("inbox.engine.give_back.LEFT_SESSION_ENDS_WITHIN_S", 0.1)
    many_jobs(3)
    cut_off = []

    def handler(jobs):
        cut_off.append(connection.connection)
        connection.connection = None
        raise StopNow

    with pytest.raises(StopNow):
        worker(handler, register=lambda: Presence("worker A", "test")).run()
    assert InboxWorker.objects.get().state == "RUNNING"
    cut_off[0].close()
    wait_until(lambda: reclaim_from_gone([InboxWorker.objects.get().pk], max_attempts=5, batch_size=10).total == 3)


def test_a_timeout_in_the_claim_is_survived(monkeypatch):
    from inbox.engine.claim import claim

    [key] = many_jobs(1)
    tries = []

    def claim_at_the_second_try(*arguments, **options):
        tries.append(1)
        if len(tries) == 1:
            raise OperationalError("canceling statement due to lock timeout")
        return claim(*arguments, **options)

    monkeypatch.setattr("inbox.worker.loop.claim", claim_at_the_second_try)
    assert worker().drain().done == 1
    assert witnesses() == [key]


def test_a_primary_that_became_a_standby_is_a_lost_connection():
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
        with pytest.raises(InternalError) as refused:
            cursor.execute("UPDATE poll_watermark SET source = source")
        cursor.execute("SET default_transaction_read_only = off")
    assert is_connection_lost(refused.value)


def test_a_commit_that_a_pooler_answers_twice_before_it_hangs_up_is_a_lost_connection():
    raw = connection.copy().get_new_connection(connection.get_connection_params())

    def answer():
        raw.pgconn.finish()
        raise psycopg.InternalError("received 2 results from command 'COMMIT'")
        yield

    with pytest.raises(psycopg.errors.ConnectionFailure) as lost:
        raw.wait(answer())
    assert lost.value.sqlstate == "08006"


def test_a_drain_takes_rows_however_far_they_lie_behind_the_watermark():
    send({})
    worker().drain()
    for time in ("2021-01-01", "-infinity"):
        send({}, created_at=time)
    assert worker().drain().done == 2


def test_a_drain_ingests_more_late_rows_than_one_lookback_brings():
    send({})
    worker().drain()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO integration_send_serviceops (payload, created_at)"
            " SELECT '{}', now() - interval '5 minutes' FROM generate_series(1, 4500)"
        )
    assert worker(batch_size=500).drain().done == 4500


def test_a_claim_made_by_hand_without_an_attempt_stops_nobody():
    broken = job(status="PROCESSING", locked_at=seconds_ago(500), attempt_count=0)
    worker().drain()
    broken.refresh_from_db()
    assert (broken.status, broken.attempt_count) == ("DONE", 1)
