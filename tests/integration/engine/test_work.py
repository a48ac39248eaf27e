"""Claim, work, finish, give back: who holds the lease writes, and nobody else."""

import psycopg
import pytest
from django.db import connection, transaction

from inbox.engine.claim import claim
from inbox.engine.finish import finish
from inbox.engine.give_back import give_back
from inbox.engine.hold_up import hold_up
from inbox.engine.reclaim import reclaim_stale
from inbox.engine.work import _fail, lock_leased, work
from inbox.models import InboxJob
from inbox.outcomes import dead, done
from tests.support.probe import claim_all, in_threads, leave_witnesses, lock_waiters, many_jobs, probe_source, witnesses
from tests.support.rows import job, seconds_ago

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("witness_table")]


def statuses():
    return sorted(InboxJob.objects.values_list("status", flat=True))


def lose_the_leases():
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
    lose_the_leases()
    assert work(late).lost == 3
    assert witnesses() == []
    assert statuses() == ["NEW"] * 3


def test_a_worker_whose_lease_was_taken_while_another_works_leaves_no_effect():
    [key] = many_jobs(1)
    late = claim_all(probe_source())
    lose_the_leases()
    current = claim_all(probe_source(), "worker B")
    assert work(late).lost == 1
    assert InboxJob.objects.get(pk=key).locked_by == "worker B"
    assert work(current).done == 1
    assert witnesses() == [key]


def test_a_failure_reported_after_another_ones_done_changes_nothing():
    [key] = many_jobs(1)
    late = claim_all(probe_source())
    lose_the_leases()
    work(claim_all(probe_source(), "worker B"))
    assert _fail(late, key, RuntimeError("too late")).lost == 1
    finished = InboxJob.objects.get(pk=key)
    assert (finished.status, finished.finished_by, finished.errors) == ("DONE", "worker B", [])


def test_a_worker_whose_lease_was_taken_holds_up_nothing():
    many_jobs(1)
    late = claim_all(probe_source())
    lose_the_leases()
    current = claim_all(probe_source())
    keys = late.all_inbox_ids
    assert hold_up(late.lease_id, keys, "too late", pause_s=60, alone=keys) == 0
    assert InboxJob.objects.filter(status="PROCESSING", lease_id=current.lease_id, note=None).count() == 1


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
    lose_the_leases()
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
