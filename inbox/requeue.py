"""Requeue: an operator sends DEAD, FAILED or WAITING jobs back to NEW, for a reason that stays on record.

A requeued job begins anew: no attempts, no time waited, due now. What it went through (errors, error_kind, last_error)
stays for whoever looks at it next. What can go wrong: somebody has the row at that moment (it is left alone and
reported), or the cause is still there (the job dies again, with a longer history).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import Max
from django.db.models.functions import Now

from inbox.audit import job_changes, job_facts, record, recorded_move
from inbox.models import InboxJob
from inbox.models.job import JobQuerySet
from inbox.notify import notify
from inbox.statuses import Status
from inbox.storable import storable

REQUEUEABLE = (Status.DEAD, Status.FAILED, Status.WAITING)
# Jobs per transaction: locks of some 50 ms, which no claim has to wait for anyway.
BATCH = 500


@dataclass(slots=True)
class Requeued:
    """The keys of the jobs that went back to NEW, and of those that somebody else had at that moment."""

    inbox_ids: list[int] = field(default_factory=list)
    left_alone: list[int] = field(default_factory=list)


def requeueable(jobs: JobQuerySet) -> JobQuerySet:
    """Those of `jobs` that a requeue may take."""
    return jobs.filter(status__in=REQUEUEABLE)


def requeue(jobs: JobQuerySet, *, who: str, reason: str, limit: int) -> list[int]:
    """Send at most `limit` of these jobs back to NEW, in one transaction with their audit entries; returns their keys.

    Takes only what nobody holds. Raises ValueError for a blank reason.
    """
    reason = storable(reason).strip()
    if not reason:
        raise ValueError("a requeue needs a reason")
    with transaction.atomic():
        inbox_ids = requeueable(jobs).lock_keys(limit)
        if not inbox_ids:
            return []
        before = job_facts(inbox_ids)
        _move_to_new(inbox_ids, reason)
        record(job_changes(before, job_facts(inbox_ids)), who=who, verb="requeue", reason=reason)
        notify()
    return inbox_ids


def _move_to_new(inbox_ids: list[int], reason: str) -> None:
    with recorded_move(reason):
        requeueable(InboxJob.objects.filter(inbox_id__any_of=inbox_ids)).update(
            status=Status.NEW,
            attempt_count=0,
            next_attempt_at=Now(),
            waiting_since=None,
            note=None,
            finished_at=None,
            finished_by=None,
            # runs_alone stays: a job that killed its workers must not take neighbours along the next time.
            updated_at=Now(),
        )


def requeue_all(jobs: JobQuerySet, *, who: str, reason: str, batch_size: int = BATCH) -> Iterator[Requeued]:
    """Requeue `jobs` in batches, each a transaction of its own; yields after each what became of it.

    Each job is looked at once, up to the newest of this moment: one that fails again is not requeued for ever.
    """
    for inbox_ids in _batches(requeueable(jobs), batch_size):
        taken = requeue(jobs.filter(inbox_id__any_of=inbox_ids), who=who, reason=reason, limit=batch_size)
        yield Requeued(taken, sorted(set(inbox_ids).difference(taken)))


def _batches(jobs: JobQuerySet, batch_size: int) -> Iterator[list[int]]:
    """The keys of `jobs` in order. Each batch begins behind the last one: from the start it would read it all again."""
    newest = InboxJob.objects.aggregate(newest=Max("inbox_id"))["newest"]
    if newest is None:
        return
    ahead = jobs.filter(inbox_id__lte=newest).order_by("inbox_id").values_list("inbox_id", flat=True)
    inbox_ids = list(ahead[:batch_size])
    while inbox_ids:
        yield inbox_ids
        if len(inbox_ids) < batch_size:
            return
        inbox_ids = list(ahead.filter(inbox_id__gt=inbox_ids[-1])[:batch_size])
