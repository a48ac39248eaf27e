"""A handler that fails: one job of its batch, an outcome of its own, an error of the database, a deadlock."""

import psycopg
import pytest
from django.db import OperationalError, connection

from inbox.db.storable import OwnText
from inbox.engine.finish import finish
from inbox.engine.work import work
from inbox.models import InboxJob
from inbox.outcomes import dead, done, ignored, not_ready, retry
from tests.support.probe import claim_all, leave_witnesses, many_jobs, probe_source, witnesses
from tests.support.rows import job, seconds_ago

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("witness_table")]


def raises_on(key, error):
    def handler(jobs):
        outcomes = leave_witnesses(jobs)
        if any(job.inbox_id == key for job in jobs):
            raise error
        return outcomes

    return handler


class Odd(OwnText):
    """A bug whose text is ours."""


def test_a_handler_that_raises_on_one_of_200_fails_only_that_one():
    keys = many_jobs(200)
    source = probe_source(raises_on(keys[56], Odd("what is this")))
    counts = work(claim_all(source))
    assert (counts.done, counts.failed) == (199, 1)
    assert witnesses() == [key for key in keys if key != keys[56]]
    failed = InboxJob.objects.get(pk=keys[56])
    assert (failed.status, failed.error_kind, failed.last_error) == ("FAILED", "Odd", "what is this")
    [entry] = failed.errors
    assert {name: entry[name] for name in ("attempt", "worker", "kind", "message")} == {
        "attempt": 1,
        "worker": "worker A",
        "kind": "Odd",
        "message": "what is this",
    }
    delay_s = (failed.next_attempt_at - failed.updated_at).total_seconds()
    assert 59.9 <= delay_s <= 72.1


def test_after_five_attempts_a_failing_job_is_dead():
    [key] = many_jobs(1)
    source = probe_source(raises_on(key, ValueError("again")))
    delays = []
    for _ in range(5):
        work(claim_all(source))
        failed = InboxJob.objects.get(pk=key)
        delays.append((failed.next_attempt_at - failed.updated_at).total_seconds())
        InboxJob.objects.filter(pk=key, status="FAILED").update(next_attempt_at=seconds_ago(1))
    assert (failed.status, failed.attempt_count, len(failed.errors)) == ("DEAD", 5, 5)
    assert failed.finished_at is not None
    for delay, step in zip(delays, (60, 300, 900, 3600), strict=False):
        assert step * 0.99 <= delay <= step * 1.21
    assert len(claim_all(source)) == 0


def test_outcomes_are_written_as_the_handler_says():
    many_jobs(5)
    outcomes = [done(), ignored("older"), dead("broken"), retry("busy", "Busy"), not_ready("its packet")]
    work(claim_all(probe_source(lambda jobs: outcomes)))
    rows = InboxJob.objects.order_by("pk").values_list("status", "note", "error_kind", "last_error", "attempt_count")
    assert list(rows) == [
        ("DONE", None, None, None, 1),
        ("DONE", "older", None, None, 1),
        ("DEAD", None, "BadMessage", "broken", 1),
        ("FAILED", None, "Busy", "busy", 1),
        ("WAITING", "its packet", None, None, 0),
    ]


def test_a_job_that_waited_longer_than_the_limit_is_dead():
    waiting = job(status="WAITING", waiting_since=seconds_ago(8 * 86400), next_attempt_at=seconds_ago(1))
    work(claim_all(probe_source(lambda jobs: [not_ready("its packet")])))
    waiting.refresh_from_db()
    assert (waiting.status, waiting.error_kind, waiting.attempt_count) == ("DEAD", "WaitLimit", 0)
    assert waiting.last_error == "waited 7 days for its packet"


def test_an_error_text_that_can_not_be_stored_as_it_is_fails_the_job_all_the_same():
    [key] = many_jobs(1)
    work(claim_all(probe_source(raises_on(key, Odd("nul \x00 surrogate \ud800 " + "x" * 100_000)))))
    failed = InboxJob.objects.get(pk=key)
    assert failed.status == "FAILED"
    assert failed.last_error.startswith("nul \ufffd surrogate ? xxx")
    assert len(failed.last_error) == 2000


def test_a_database_error_keeps_no_stored_values():
    with connection.cursor() as cursor:
        cursor.execute("CREATE UNIQUE INDEX ON probe_effect (inbox_id)")
    [key] = many_jobs(1)
    leave_witnesses([InboxJob.objects.get(pk=key)])
    work(claim_all(probe_source()))
    failed = InboxJob.objects.get(pk=key)
    assert failed.error_kind == "IntegrityError"
    assert "23505" in failed.last_error
    assert "Key (" not in failed.last_error


def test_a_handler_that_forgets_a_job_finishes_none():
    many_jobs(2)
    counts = work(claim_all(probe_source(lambda jobs: [done()] * (len(jobs) - 1))))
    assert counts.failed == 2
    assert set(InboxJob.objects.values_list("error_kind", flat=True)) == {"HandlerBug"}


def test_a_broken_foreign_key_is_found_before_anything_is_finished(monkeypatch):
    """Django's foreign keys are deferred: unchecked, the error would come at COMMIT, after DONE was written."""
    from packets.models import PacketEvent

    keys = many_jobs(3)
    finished = []

    def finish_and_tell(lease_id, worker_id, ended):
        ended = list(ended)
        finished.extend(held.inbox_id for held, outcome in ended if outcome is done())
        return finish(lease_id, worker_id, ended)

    monkeypatch.setattr("inbox.engine.work.finish", finish_and_tell)

    def handler(jobs):
        for held in jobs:
            if held.inbox_id == keys[1]:
                PacketEvent.objects.create(packet_id=987654321, what="created")
        return [done() for _ in jobs]

    counts = work(claim_all(probe_source(handler)))
    assert (counts.done, counts.failed) == (2, 1)
    assert InboxJob.objects.get(pk=keys[1]).error_kind == "IntegrityError"
    assert finished == [keys[0], keys[2]]


def test_a_deadlock_is_tried_again_under_the_same_lease_and_costs_no_attempt():
    [key] = many_jobs(1)
    tries = []

    def handler(jobs):
        tries.append(1)
        if len(tries) < 3:
            raise OperationalError("deadlock detected") from psycopg.errors.DeadlockDetected("deadlock detected")
        return leave_witnesses(jobs)

    assert work(claim_all(probe_source(handler))).done == 1
    finished = InboxJob.objects.get(pk=key)
    assert (len(tries), finished.attempt_count, finished.errors) == (3, 1, [])
    assert witnesses() == [key]


def test_jobs_in_endless_deadlock_are_given_back_without_an_attempt():
    many_jobs(2)

    def handler(jobs):
        raise OperationalError("deadlock detected") from psycopg.errors.DeadlockDetected("deadlock detected")

    assert work(claim_all(probe_source(handler))).given_back == 2
    assert set(InboxJob.objects.values_list("status", "attempt_count")) == {("NEW", 0)}
