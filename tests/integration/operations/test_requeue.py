"""Requeue: DEAD, FAILED and WAITING jobs start again, each with an entry in the audit; no other job moves."""

from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, connection, transaction

from inbox.models import InboxAudit, InboxJob
from inbox.operations import operation
from inbox.operations.batches import apply_in_batches
from inbox.operations.operation import apply
from inbox.operations.verbs import REQUEUE
from tests.support.probe import claim_all, in_threads, probe_source
from tests.support.requeues import REASON, dead_jobs, status_of
from tests.support.rows import job, seconds_ago

pytestmark = pytest.mark.django_db(transaction=True)

LATER = seconds_ago(-3600)


def requeued(jobs=None, limit=500):
    jobs = InboxJob.objects.all() if jobs is None else jobs
    return apply(REQUEUE, jobs, who="op@host", reason=REASON, limit=limit)


def requeued_all(batch_size=500):
    jobs = InboxJob.objects.all()
    return list(apply_in_batches(REQUEUE, jobs, who="op@host", reason=REASON, batch_size=batch_size))


@pytest.mark.parametrize("status", ["DEAD", "FAILED", "WAITING"])
def test_a_job_starts_again_and_keeps_its_history(status):
    history = [{"attempt": 1, "kind": "ValueError", "message": "broken"}]
    made = job(
        status=status,
        attempt_count=5,
        next_attempt_at=LATER,
        waiting_since=seconds_ago(60),
        finished_at=seconds_ago(10),
        finished_by="worker A",
        error_kind="ValueError",
        last_error="broken",
        errors=history,
        note="the thing",
        runs_alone=True,
    )
    assert requeued() == [made.pk]
    made.refresh_from_db()
    assert (made.status, made.attempt_count, made.waiting_since, made.note) == ("NEW", 0, None, None)
    assert (made.finished_at, made.finished_by) == (None, None)
    assert made.next_attempt_at < LATER
    assert (made.errors, made.error_kind, made.last_error) == (history, "ValueError", "broken")
    assert made.runs_alone


@pytest.mark.parametrize("status", ["NEW", "PROCESSING", "DONE"])
def test_a_job_of_another_status_stays_as_it_is(status):
    made = job(status=status, attempt_count=2)
    assert requeued() == []
    made.refresh_from_db()
    assert (made.status, made.attempt_count) == (status, 2)
    assert not InboxAudit.objects.exists()


def test_each_job_leaves_one_entry_with_facts_of_its_status_only():
    made = job(status="DEAD", attempt_count=5, error_kind="BadMessage", last_error="a secret", note="a secret")
    requeued()
    entry = InboxAudit.objects.get()
    made.refresh_from_db()
    assert (entry.object, entry.verb, entry.who, entry.reason) == (f"job:{made.pk}", "requeue", "op@host", REASON)
    assert entry.before == {"status": "DEAD", "attempt_count": 5, "error_kind": "BadMessage"} | {
        "next_attempt_at": entry.before["next_attempt_at"]
    }
    assert entry.after == {"status": "NEW", "attempt_count": 0, "error_kind": "BadMessage"} | {
        "next_attempt_at": entry.after["next_attempt_at"]
    }
    assert datetime.fromisoformat(entry.after["next_attempt_at"]).astimezone(UTC) == made.next_attempt_at


def test_a_job_that_was_never_to_be_tried_again_comes_back():
    made = job(status="FAILED")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE integration_inbox SET next_attempt_at = 'infinity'")
    assert requeued() == [made.pk]
    assert InboxAudit.objects.get().before["next_attempt_at"] == "infinity"


def test_a_second_run_changes_nothing():
    made = job(status="DEAD")
    requeued()
    before = InboxJob.objects.values().get(pk=made.pk)
    assert requeued() == []
    assert InboxJob.objects.values().get(pk=made.pk) == before
    assert InboxAudit.objects.count() == 1


def test_a_requeue_that_is_rolled_back_leaves_no_entry():
    made = job(status="DEAD")
    with transaction.atomic():
        assert requeued() == [made.pk]
        transaction.set_rollback(True)
    assert status_of(made) == "DEAD"
    assert not InboxAudit.objects.exists()


def test_without_its_entry_no_job_moves(monkeypatch):
    made = job(status="DEAD")

    def breaks(*args, **kwargs):
        raise RuntimeError("the audit is broken")

    monkeypatch.setattr(operation, "record", breaks)
    with pytest.raises(RuntimeError):
        requeued()
    assert status_of(made) == "DEAD"


def test_the_door_out_of_dead_is_closed_again_in_the_same_transaction():
    taken, other = job(status="DEAD"), job(status="DEAD")
    with transaction.atomic():
        requeued(InboxJob.objects.filter(pk=taken.pk))
        with pytest.raises(IntegrityError, match="may not move from DEAD to NEW"), transaction.atomic():
            InboxJob.objects.filter(pk=other.pk).update(status="NEW")
    assert (status_of(taken), status_of(other)) == ("NEW", "DEAD")


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_a_requeue_needs_a_reason(reason):
    made = job(status="DEAD")
    with pytest.raises(ValueError, match="reason"):
        apply(REQUEUE, InboxJob.objects.all(), who="op", reason=reason, limit=1)
    assert status_of(made) == "DEAD"


def test_a_job_that_is_being_claimed_is_left_alone_and_reported():
    claimed = job(status="FAILED", next_attempt_at=seconds_ago(9))
    free = job(status="FAILED", next_attempt_at=LATER)
    with transaction.atomic():
        claim_all(probe_source(), limit=1)
        [[batch]] = in_threads(requeued_all)
    assert (batch.inbox_ids, batch.left_alone) == ([free.pk], [claimed.pk])
    assert (status_of(claimed), status_of(free)) == ("PROCESSING", "NEW")
    assert InboxAudit.objects.get().object == f"job:{free.pk}"


def test_a_job_that_was_claimed_a_moment_before_is_left_alone(monkeypatch):
    """It is chosen, then another session claims it and commits, then this one locks what is left."""
    made = job(status="FAILED", next_attempt_at=seconds_ago(9))
    lock_keys = InboxJob.objects.all().__class__.lock_keys

    def late(jobs, limit=None):
        in_threads(lambda: claim_all(probe_source()))
        return lock_keys(jobs, limit)

    monkeypatch.setattr(InboxJob.objects.all().__class__, "lock_keys", late)
    [batch] = requeued_all()
    assert (batch.inbox_ids, batch.left_alone) == ([], [made.pk])
    assert status_of(made) == "PROCESSING"


def test_two_requeues_at_once_take_each_job_once():
    dead_jobs(300)
    results = in_threads(*[lambda: requeued_all(batch_size=20)] * 2)
    assert sum(len(batch.inbox_ids) for batches in results for batch in batches) == 300
    assert set(InboxJob.objects.values_list("status")) == {("NEW",)}
    objects = InboxAudit.objects.values_list("object", flat=True)
    assert (len(objects), len(set(objects))) == (300, 300)


def test_requeue_and_claim_at_once_never_take_the_same_job():
    dead_jobs(300, status="FAILED", attempt_count=1)

    def claims():
        while claim_all(probe_source(), limit=20):
            pass

    in_threads(claims, lambda: requeued_all(batch_size=20))
    attempts = InboxJob.objects.values_list("status", "attempt_count")
    # A claim adds one to what it found: 1 for a job that was requeued before, 2 for one that was not.
    assert set(attempts) <= {("PROCESSING", 1), ("PROCESSING", 2), ("NEW", 0)}
    audited = set(InboxAudit.objects.values_list("object", flat=True))
    began_anew = InboxJob.objects.filter(attempt_count__lt=2).values_list("pk", flat=True)
    assert audited == {f"job:{key}" for key in began_anew}
    assert set(InboxAudit.objects.values_list("before__status", flat=True)) <= {"FAILED"}


def test_it_goes_in_batches_that_are_transactions_of_their_own():
    keys = dead_jobs(7)
    batches = apply_in_batches(REQUEUE, InboxJob.objects.all(), who="op", reason=REASON, batch_size=3)
    assert next(batches).inbox_ids == keys[:3]
    assert in_threads(lambda: InboxJob.objects.filter(status="NEW").count()) == [3]
    assert [batch.inbox_ids for batch in batches] == [keys[3:6], keys[6:]]


def test_a_job_that_dies_again_meanwhile_is_not_requeued_for_ever():
    first, *others = dead_jobs(4)
    batches = apply_in_batches(REQUEUE, InboxJob.objects.all(), who="op", reason=REASON, batch_size=2)
    next(batches)
    InboxJob.objects.filter(pk=first).update(status="DEAD")
    newer = job(status="DEAD")
    assert [key for batch in batches for key in batch.inbox_ids] == others[1:]
    assert (InboxJob.objects.get(pk=first).status, status_of(newer)) == ("DEAD", "DEAD")


def test_idle_workers_are_notified_when_it_commits():
    job(status="DEAD")
    listener = connection.copy()
    listener.ensure_connection()
    try:
        listener.connection.autocommit = True
        listener.connection.execute("LISTEN inbox")
        requeued()
        assert list(listener.connection.notifies(timeout=10, stop_after=1))
    finally:
        listener.close()
