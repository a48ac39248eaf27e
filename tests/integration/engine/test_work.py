"""Claim, work, finish, fail, give back: who holds the lease writes, and nobody else."""

import psycopg
import pytest
from django.db import OperationalError, connection, transaction

from inbox.db.storable import OwnText
from inbox.engine.claim import claim
from inbox.engine.finish import finish
from inbox.engine.give_back import give_back
from inbox.engine.reclaim import reclaim_stale
from inbox.engine.work import _fail, lock_leased, work
from inbox.models import InboxJob
from inbox.outcomes import dead, done, ignored, not_ready, retry
from tests.support.probe import (
    claim_all,
    in_threads,
    leave_witnesses,
    lock_waiters,
    make_witness_table,
    many_jobs,
    probe_source,
    witnesses,
)
from tests.support.rows import job, seconds_ago

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def witness_table(transactional_db):
    make_witness_table()


def statuses():
    return sorted(InboxJob.objects.values_list("status", flat=True))


def take_back():
    InboxJob.objects.filter(status="PROCESSING").update(locked_at=seconds_ago(500))
    return reclaim()


def reclaim():
    return reclaim_stale(stale_after_s=120, max_attempts=5, limit=500)


def test_a_batch_is_done_with_its_effects_in_one_go():
    keys = many_jobs(200)
    counts = work(claim_all(probe_source()))
    assert counts.done == 200
    assert witnesses() == keys
    first = InboxJob.objects.get(pk=keys[0])
    assert (first.attempt_count, first.finished_by, first.locked_by, first.locked_at) == (1, "worker A", None, None)
    assert first.finished_at >= first.started_at


def test_a_worker_that_dies_between_effect_and_status_leaves_neither(monkeypatch):
    [key] = many_jobs(1)

    def die(*arguments):
        raise KeyboardInterrupt

    held = claim_all(probe_source())
    with monkeypatch.context() as patch:
        patch.setattr("inbox.engine.work.finish", die)
        with pytest.raises(KeyboardInterrupt):
            work(held)
    assert witnesses() == []
    assert work(held).done == 1
    assert witnesses() == [key]


def test_two_claims_at_once_never_share_a_job():
    many_jobs(1000)
    source = probe_source()
    claims = in_threads(*[lambda name=name: claim(source, worker_id=name, limit=250) for name in "ABCD"])
    taken = [pk for held in claims for pk in held.inbox_ids["probe"]]
    assert len(taken) == len(set(taken)) == 1000
    assert len({held.lease_id for held in claims}) == 4


def test_a_claim_takes_no_more_than_its_limit_with_stale_statistics():
    many_jobs(1)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE integration_inbox")
    InboxJob.objects.bulk_create(
        [InboxJob(source="test", message_type="probe", message_id=number) for number in range(2, 60)]
    )
    assert len(claim_all(probe_source(), limit=3)) == 3
    assert InboxJob.objects.filter(status="PROCESSING").count() == 3


def test_jobs_that_are_not_due_or_have_no_handler_here_are_left_alone():
    job(status="FAILED", next_attempt_at=seconds_ago(-60))
    job(message_type="from a newer version")
    job(source="another")
    due = job(status="WAITING", next_attempt_at=seconds_ago(1))
    assert claim_all(probe_source()).inbox_ids == {"probe": [due.pk]}


def test_a_worker_whose_lease_was_taken_leaves_no_effect():
    many_jobs(3)
    late = claim_all(probe_source())
    take_back()
    assert work(late).lost == 3
    assert witnesses() == []
    assert statuses() == ["NEW"] * 3


def test_a_worker_whose_lease_was_taken_while_another_works_leaves_no_effect():
    [key] = many_jobs(1)
    late = claim_all(probe_source())
    take_back()
    current = claim_all(probe_source(), "worker B")
    assert work(late).lost == 1
    assert InboxJob.objects.get(pk=key).locked_by == "worker B"
    assert work(current).done == 1
    assert witnesses() == [key]


def test_a_failure_reported_after_another_ones_done_changes_nothing():
    [key] = many_jobs(1)
    late = claim_all(probe_source())
    take_back()
    work(claim_all(probe_source(), "worker B"))
    assert _fail(late, key, RuntimeError("too late")).lost == 1
    finished = InboxJob.objects.get(pk=key)
    assert (finished.status, finished.finished_by, finished.errors) == ("DONE", "worker B", [])


def test_a_lease_that_was_given_back_stays_invalid_when_the_same_worker_claims_again():
    """Same worker, same attempt number: only the lease id tells the two claims apart."""
    [key] = many_jobs(1)
    first = claim_all(probe_source())
    give_back(first.lease_id, [key])
    second = claim_all(probe_source())
    held = InboxJob.objects.get(pk=key)
    assert (held.locked_by, held.attempt_count) == ("worker A", 1)
    assert work(first).lost == 1
    assert _fail(first, key, RuntimeError("of the first claim")).lost == 1
    assert witnesses() == []
    assert work(second).done == 1
    assert witnesses() == [key]


def test_finish_itself_refuses_a_lease_that_is_not_current():
    """The last guard, should a handler have been given rows that nobody locked."""
    many_jobs(2)
    late = claim_all(probe_source())
    with transaction.atomic():
        jobs = lock_leased(late.lease_id, late.inbox_ids["probe"])
    take_back()
    claim_all(probe_source(), "worker B")
    counts = finish(late.lease_id, "worker A", zip(jobs, [done(), dead("no")], strict=True))
    assert counts.total == 0
    assert statuses() == ["NEW", "PROCESSING"]


def test_one_lost_lease_of_200_leaves_the_other_199_done_in_the_same_transaction():
    keys = many_jobs(200)
    calls = []

    def handler(jobs):
        calls.append(len(jobs))
        return leave_witnesses(jobs)

    held = claim_all(probe_source(handler))
    give_back(held.lease_id, [keys[57]])
    counts = work(held)
    assert (counts.done, counts.lost, calls) == (199, 1, [199])
    assert witnesses() == [key for key in keys if key != keys[57]]


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


def test_nobody_reclaims_a_job_while_its_handler_is_at_work():
    [key] = many_jobs(1)
    reclaimed = []

    def handler(jobs):
        with psycopg_connection() as other:
            rows = other.execute(
                "SELECT 1 FROM integration_inbox WHERE inbox_id = %s FOR UPDATE SKIP LOCKED", [key]
            ).fetchall()
            reclaimed.extend(rows)
        return leave_witnesses(jobs)

    work(claim_all(probe_source(handler)))
    assert reclaimed == []
    assert witnesses() == [key]


def test_a_stop_gives_back_what_has_not_begun_with_its_attempt():
    many_jobs(3)
    later = job(message_type="another")
    source = probe_source()
    stopping = []

    def handler(jobs):
        stopping.append(True)
        return leave_witnesses(jobs)

    source.handlers.update(probe=handler, another=handler)
    counts = work(claim_all(source), is_stopping=lambda: bool(stopping))
    assert (counts.done, counts.given_back) == (3, 1)
    later.refresh_from_db()
    assert (later.status, later.attempt_count, later.locked_by) == ("NEW", 0, None)


def deadlocks():
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return cursor.fetchone()[0]


def test_finish_and_reclaim_of_the_same_jobs_never_deadlock():
    before = deadlocks()
    for _ in range(20):
        InboxJob.objects.all().delete()
        many_jobs(200)
        held = claim_all(probe_source())
        InboxJob.objects.update(locked_at=seconds_ago(500))
        in_threads(lambda held=held: work(held), reclaim, reclaim)
        assert set(statuses()) <= {"DONE", "NEW"}
    assert deadlocks() == before


def test_only_effects_wait_for_the_disk():
    [key] = many_jobs(1)
    waits = []

    def handler(jobs):
        waits.append(synchronous_commit())
        return leave_witnesses(jobs)

    def note(execute, sql, *rest):
        result = execute(sql, *rest)
        if sql.strip().startswith("UPDATE integration_inbox"):
            waits.append(synchronous_commit())
        return result

    with connection.execute_wrapper(note):
        work(claim_all(probe_source(handler)))
    # The claim, the effect, and DONE.
    assert waits == ["off", "on", "on"]
    assert witnesses() == [key]


def synchronous_commit():
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        return cursor.fetchone()[0]


def test_a_second_worker_does_not_wait_for_a_batch_in_hand():
    many_jobs(4)
    source = probe_source()
    first = claim_all(source, limit=2)
    with transaction.atomic():
        lock_leased(first.lease_id, first.inbox_ids["probe"])
        [second] = in_threads(lambda: claim_all(source, "worker B"))
    assert len(second) == 2
    assert lock_waiters() == []


def psycopg_connection():
    parameters = connection.get_connection_params()
    for name in ("context", "cursor_factory", "prepare_threshold"):
        parameters.pop(name, None)
    return psycopg.connect(**parameters)
