"""Requeue: an operator sends DEAD, FAILED or WAITING jobs back to NEW, for a reason that stays on record.

A requeued job begins anew: no attempts, no time waited, due now. What it went through (errors, error_kind, last_error)
stays for whoever looks at it next. What can go wrong: somebody has the row at that moment (it is left alone and
reported), or the cause is still there (the job dies again, with a longer history).
"""

from collections.abc import Iterator
from functools import partial

from django.db import transaction
from django.db.models.functions import Now

from inbox.db.notify import notify
from inbox.engine.audit import job_changes, job_facts, reason_of, record, recorded_move
from inbox.models import InboxJob
from inbox.models.job import JobQuerySet
from inbox.operations.batches import BATCH, Done, in_batches
from inbox.operations.submission import Submission
from inbox.statuses import Status

REQUEUEABLE = (Status.DEAD, Status.FAILED, Status.WAITING)


def requeueable(jobs: JobQuerySet) -> JobQuerySet:
    """Those of `jobs` that a requeue may take."""
    return jobs.filter(status__in=REQUEUEABLE)


def requeue(jobs: JobQuerySet, *, who: str, reason: str, limit: int, submission: Submission | None = None) -> list[int]:
    """Send at most `limit` of these jobs back to NEW, in one transaction with their audit entries; returns their keys.

    Takes only what nobody holds. Raises ValueError for a blank reason.
    """
    reason = reason_of(reason)
    with transaction.atomic():
        inbox_ids = requeueable(jobs).lock_keys(limit)
        if not inbox_ids:
            return []
        before = job_facts(inbox_ids)
        _move_to_new(inbox_ids, reason)
        changes = job_changes(before, job_facts(inbox_ids))
        record(changes, who=who, verb="requeue", reason=reason, submission=submission._asdict() if submission else None)
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


def requeue_all(jobs: JobQuerySet, *, who: str, reason: str, batch_size: int = BATCH) -> Iterator[Done]:
    """Requeue `jobs` in batches, each a transaction of its own; yields after each what became of it.

    Each job is looked at once, up to the newest of this moment: one that fails again is not requeued for ever.
    """
    return in_batches(requeueable(jobs), partial(requeue, who=who, reason=reason), batch_size)
