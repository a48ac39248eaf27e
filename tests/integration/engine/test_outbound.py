"""Outbound calls: several at once, no transaction open meanwhile, each answer written at once and by lease only."""

import time
from functools import partial

import pytest
from django.db import connection, transaction

from inbox.engine.claim import claim
from inbox.engine.finish import finish
from inbox.engine.give_back import give_back
from inbox.engine.heartbeat import renew_claims
from inbox.engine.reclaim import reclaim_stale
from inbox.models import InboxJob, InboxWorker
from inbox.outcomes import dead, done, ignored, not_ready, retry
from inbox.registry import Source
from inbox.worker.presence import Presence
from tests.support.outbound import Service, outbound_source, outbound_worker, running, status_of, statuses
from tests.support.probe import leave_witnesses, make_witness_table, many_jobs, probe_source, wait_until, witnesses
from tests.support.rows import job, seconds_ago

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def witness_table(transactional_db):
    make_witness_table()


def witnessed_source(service, **functions):
    """Its finish leaves one witness per job."""

    def finish(jobs, answers):
        leave_witnesses(jobs)
        return answers

    return outbound_source(service, finish=finish, **functions)


# The way of a job.


def test_every_answer_is_written_once_together_with_its_effect():
    keys = many_jobs(30)
    service = Service(is_open=True)
    counts = outbound_worker(witnessed_source(service)).drain()
    assert (counts.done, statuses()) == (30, {"DONE": 30})
    assert set(service.calls.values()) == {1}
    assert witnesses() == keys
    assert set(InboxJob.objects.values_list("attempt_count", flat=True)) == {1}


def test_prepare_may_end_a_job_without_a_call():
    many_jobs(5)
    ends = {1: ignored("superseded"), 2: dead("no such thing"), 3: not_ready("the packet"), 4: retry("later")}
    service = Service(is_open=True)
    prepare = lambda jobs: [ends.get(held.message_id, held.message_id) for held in jobs]  # noqa: E731
    counts = outbound_worker(outbound_source(service, prepare)).once()
    assert list(service.calls) == [5]
    assert [status_of(number) for number in range(1, 6)] == ["DONE", "DEAD", "WAITING", "FAILED", "DONE"]
    assert InboxJob.objects.get(message_id=1).note == "superseded"
    assert counts.total == 5


def test_answers_take_the_same_outcomes_as_handlers_give():
    many_jobs(4)
    service = Service({1: dead("no"), 2: retry("busy", "Http503"), 3: ignored("known")}, is_open=True)
    outbound_worker(outbound_source(service)).once()
    assert [status_of(number) for number in range(1, 5)] == ["DEAD", "FAILED", "DONE", "DONE"]
    failed = InboxJob.objects.get(message_id=2)
    assert (failed.error_kind, failed.attempt_count, len(failed.errors)) == ("Http503", 1, 1)


def test_a_prepare_that_raises_for_one_job_fails_that_one_alone():
    many_jobs(6)

    def prepare(jobs):
        if any(held.message_id == 3 for held in jobs):
            raise LookupError("no such row")
        return [held.message_id for held in jobs]

    service = Service(is_open=True)
    outbound_worker(outbound_source(service, prepare)).once()
    assert statuses() == {"DONE": 5, "FAILED": 1}
    assert InboxJob.objects.get(status="FAILED").error_kind == "LookupError"
    assert (set(service.calls), set(service.calls.values())) == ({1, 2, 4, 5, 6}, {1})


def test_a_prepare_that_is_rolled_back_by_a_deadlock_asks_for_nothing(monkeypatch):
    many_jobs(3)
    tries = []

    def finish_at_the_second_try(*arguments):
        tries.append(1)
        if len(tries) == 1:
            with connection.cursor() as cursor:
                cursor.execute("DO $$ BEGIN RAISE EXCEPTION 'broken' USING ERRCODE = '40P01'; END $$")
        return finish(*arguments)

    monkeypatch.setattr("inbox.engine.work.finish", finish_at_the_second_try)
    service = Service(is_open=True)
    outbound_worker(outbound_source(service)).once()
    assert statuses() == {"DONE": 3}
    assert service.calls == {1: 1, 2: 1, 3: 1}


def test_a_call_that_raises_fails_its_job_alone():
    many_jobs(3)

    def bug():
        raise LookupError("a bug")

    outbound_worker(outbound_source(Service({2: bug}, is_open=True))).once()
    assert [status_of(number) for number in range(1, 4)] == ["DONE", "FAILED", "DONE"]
    assert InboxJob.objects.get(message_id=2).error_kind == "LookupError"


def test_a_finish_that_raises_for_one_job_leaves_the_effects_of_the_others():
    keys = many_jobs(4)

    def finish(jobs, answers):
        leave_witnesses(jobs)
        if any(held.message_id == 2 for held in jobs):
            raise LookupError("a bug")
        return answers

    outbound_worker(outbound_source(Service(is_open=True), finish=finish)).once()
    assert [status_of(number) for number in range(1, 5)] == ["DONE", "FAILED", "DONE", "DONE"]
    assert witnesses() == [keys[0], keys[2], keys[3]]


# Calls beside each other, and beside the rest.


def test_no_transaction_is_open_and_no_row_is_locked_while_a_call_runs():
    many_jobs(3)
    service = Service()
    sessions = []

    def prepare(jobs):
        sessions.append(connection.connection.info.backend_pid)
        return [held.message_id for held in jobs]

    with running(outbound_worker(outbound_source(service, prepare)), service=service):
        service.wait_for(3)
        for _ in range(100):
            assert transaction_age_s(sessions[0]) < 0.5
            with transaction.atomic():
                assert len(InboxJob.objects.select_for_update(nowait=True)) == 3
    assert statuses() == {"DONE": 3}


def transaction_age_s(pid):
    """How long the transaction of that session is open; what the worker does beside takes a moment only."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT coalesce(extract(epoch FROM clock_timestamp() - xact_start), 0), state"
            " FROM pg_stat_activity WHERE pid = %s",
            [pid],
        )
        [(age_s, state)] = cursor.fetchall()
    assert not state.startswith("idle in transaction") or age_s < 0.1
    return age_s


def test_a_call_that_hangs_delays_no_other():
    many_jobs(12)
    service = Service()
    with running(outbound_worker(outbound_source(service), concurrency=2), service=service):
        service.wait_for(2)
        service.let_go(*range(2, 13))
        wait_until(lambda: statuses() == {"DONE": 11, "PROCESSING": 1})
        assert status_of(1) == "PROCESSING"
    assert statuses() == {"DONE": 12}


def test_no_more_calls_run_than_allowed_and_no_more_jobs_are_claimed_than_twice_that():
    many_jobs(30)
    service = Service()
    with running(outbound_worker(outbound_source(service), concurrency=3), service=service):
        service.wait_for(3)
        assert statuses() == {"PROCESSING": 6, "NEW": 24}
        for number in range(1, 31):
            service.let_go(number)
            assert InboxJob.objects.filter(status="PROCESSING").count() <= 6
        wait_until(lambda: statuses() == {"DONE": 30})
    assert service.most_at_once == 3


def test_other_sources_of_the_process_go_on_while_a_call_hangs():
    many_jobs(1)
    service = Service()
    with running(outbound_worker(outbound_source(service), other_source()), service=service):
        service.wait_for(1)
        for number in range(2, 5):
            job(source="other", message_id=number)
        wait_until(lambda: InboxJob.objects.filter(source="other", status="DONE").count() == 3)
        assert status_of(1) == "PROCESSING"


def other_source():
    return Source(name="other", command="none", handlers={"probe": leave_witnesses})


def test_a_job_whose_worker_died_is_called_for_by_itself():
    many_jobs(5)
    InboxJob.objects.filter(message_id=1).update(runs_alone=True)
    service = Service()
    worker = outbound_worker(outbound_source(service))
    ticks = count_ticks(worker)
    with running(worker, service=service):
        assert service.wait_for(1) == [1]
        seen = len(ticks)
        wait_until(lambda: len(ticks) > seen + 3)
        assert statuses() == {"PROCESSING": 1, "NEW": 4}
        service.let_go(1)
        assert service.wait_for(4) == [2, 3, 4, 5]
    assert statuses() == {"DONE": 5}


def count_ticks(worker):
    """A list that grows with each round of the worker."""
    ticks = []
    tick = worker.tick
    worker.tick = lambda: ticks.append(1) or tick()
    return ticks


# Leases.


def test_a_heartbeat_renews_nothing_of_another_lease():
    many_jobs(2)
    source = outbound_source(Service())
    lost = claim(source, worker_id="worker A", limit=2)
    give_back(lost.lease_id, lost.inbox_ids["probe"][:1])
    again = claim(source, worker_id="worker A", limit=2)
    before = InboxJob.objects.values_list("locked_at", flat=True).get(lease_id=again.lease_id)
    assert renew_claims(lost.lease_id, lost.inbox_ids["probe"], None) == 1
    assert InboxJob.objects.values_list("locked_at", flat=True).get(lease_id=again.lease_id) == before


def test_a_slow_call_is_not_reclaimed_by_age(settings):
    settings.INBOX_STALE_AFTER = 0.4
    many_jobs(5)
    service = Service()
    with running(outbound_worker(outbound_source(service)), service=service):
        service.wait_for(4)
        claimed_at = InboxJob.objects.values_list("locked_at", flat=True)[0]
        deadline = time.monotonic() + 1.2
        while time.monotonic() < deadline:
            assert not reclaim_stale(stale_after_s=0.4, max_attempts=5, limit=10)
            time.sleep(0.02)
        renewed = InboxJob.objects.values_list("locked_at", flat=True)
        assert all(locked_at > claimed_at for locked_at in renewed), "one that waits for its turn too"
        service.open()
        wait_until(lambda: statuses() == {"DONE": 5})
    assert set(InboxJob.objects.values_list("status", "attempt_count")) == {("DONE", 1)}
    assert set(service.calls.values()) == {1}


def test_the_late_answer_of_a_reclaimed_job_writes_nothing():
    [key] = many_jobs(1)
    service = Service()
    worker = outbound_worker(witnessed_source(service), poll_interval_s=600)
    with running(worker, service=service):
        service.wait_for(1)
        InboxJob.objects.update(locked_at=seconds_ago(500))
        # In one transaction, or the first worker may be the one that takes it again.
        with transaction.atomic():
            assert reclaim_stale(stale_after_s=120, max_attempts=5, limit=10).given_back == 1
            second = claim(outbound_source(service), worker_id="worker B", limit=1)
        assert len(second) == 1
        before = InboxJob.objects.values().get()
        service.let_go(1)
        wait_until(lambda: worker.counts.lost == 1)
        assert InboxJob.objects.values().get() == before
        assert witnesses() == []
    assert worker.counts.done == 0


def test_a_connection_lost_during_a_call_costs_neither_the_answer_nor_the_lease():
    """The process has a new presence then; nobody may take its jobs for those of one that is gone."""
    many_jobs(3)
    service = Service()
    worker = outbound_worker(outbound_source(service), register=partial(Presence, "worker A", "test"))
    with running(worker, service=service):
        service.wait_for(3)
        [first] = InboxWorker.objects.all()
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity WHERE datname = current_database()"
                " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            assert len(cursor.fetchall()) == 2
        wait_until(lambda: InboxWorker.objects.filter(pk__gt=first.pk, state="RUNNING").exists())
        wait_until(lambda: set(InboxJob.objects.values_list("presence_id", flat=True)) != {first.pk})
        service.open()
        wait_until(lambda: statuses() == {"DONE": 3})
    assert set(InboxJob.objects.values_list("attempt_count", "runs_alone")) == {(1, False)}
    assert service.calls.total() == 3


def test_an_answer_that_breaks_the_connection_each_time_ends_dead_and_hurts_no_other(settings):
    settings.INBOX_BACKOFF, settings.INBOX_MAX_ATTEMPTS = (0.001,), 2
    many_jobs(6)

    def finish(jobs, answers):
        if any(held.message_id == 2 for held in jobs):
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return answers

    worker = outbound_worker(outbound_source(Service(is_open=True), finish=finish))
    while InboxJob.objects.exclude(status__in=["DONE", "DEAD"]).exists():
        worker.drain()
    assert (statuses(), status_of(2)) == ({"DONE": 5, "DEAD": 1}, "DEAD")
    assert set(InboxJob.objects.filter(status="DONE").values_list("attempt_count", flat=True)) == {1}


# Stopping.


def test_a_stop_waits_for_the_calls_that_have_begun_and_gives_back_the_rest():
    many_jobs(6)
    service = Service()
    worker = outbound_worker(outbound_source(service), concurrency=3)
    with running(worker, service=service) as [thread]:
        inside = service.wait_for(3)
        worker.stop.ask()
        wait_until(lambda: statuses() == {"PROCESSING": 3, "NEW": 3})
        assert thread.is_alive()
        assert set(InboxJob.objects.filter(status="NEW").values_list("attempt_count", flat=True)) == {0}
        service.let_go(*inside)
        thread.join(20)
        assert not thread.is_alive()
        assert statuses() == {"DONE": 3, "NEW": 3}
    assert (worker.counts.done, worker.counts.given_back) == (3, 3)
    assert service.calls.total() == 3


def test_once_is_one_claim_and_all_of_its_answers():
    many_jobs(30)
    outbound_worker(outbound_source(Service(is_open=True)), concurrency=5).once()
    assert statuses() == {"DONE": 10, "NEW": 20}


def test_max_jobs_is_a_limit_for_calls_too():
    many_jobs(30)
    worker = outbound_worker(outbound_source(Service(is_open=True)), concurrency=5, max_jobs=13)
    worker.run()
    assert statuses() == {"DONE": 13, "NEW": 17}


def test_a_worker_without_outbound_sources_has_nothing_to_do_with_all_this():
    many_jobs(3)
    worker = outbound_worker(probe_source())
    queries = []

    def note(execute, sql, *rest):
        queries.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        assert worker.drain().done == 3
    assert queries
    assert [sql for sql in queries if "inbox_pause" in sql] == []


def test_done_is_done_whatever_the_request_is():
    """A request may be None: only an Outcome ends a job without a call."""
    many_jobs(1)
    service = Service({None: done()}, is_open=True)
    outbound_worker(outbound_source(service, lambda jobs: [None for _ in jobs])).once()
    assert (service.calls[None], statuses()) == (1, {"DONE": 1})
