"""Reschedule: an operator sets when NEW, FAILED or WAITING jobs are tried next, for a reason that stays on record.

Nothing else changes: their attempts and what they went through stay. What can go wrong: somebody has the row at that
moment (it is left alone); a wake may still make a WAITING job due sooner.
"""

from datetime import datetime

from django.db import transaction
from django.db.models.functions import Now

from inbox.db.notify import notify
from inbox.engine.audit import job_changes, job_facts, reason_of, record
from inbox.models import InboxJob
from inbox.models.job import JobQuerySet
from inbox.operations.submission import Submission
from inbox.statuses import DUE_STATUSES


def reschedulable(jobs: JobQuerySet) -> JobQuerySet:
    """Those of `jobs` that will be tried again."""
    return jobs.filter(status__in=DUE_STATUSES)


def reschedule(
    jobs: JobQuerySet,
    *,
    to: datetime | None,
    who: str,
    reason: str,
    limit: int,
    submission: Submission | None = None,
) -> list[int]:
    """Have at most `limit` of these jobs tried from `to` on, now for None; one transaction; returns their keys.

    Raises NoReason for a blank reason.
    """
    reason = reason_of(reason)
    with transaction.atomic():
        inbox_ids = reschedulable(jobs).lock_keys(limit)
        before = job_facts(inbox_ids)
        due = Now() if to is None else to
        reschedulable(InboxJob.objects.filter(inbox_id__any_of=inbox_ids)).update(next_attempt_at=due, updated_at=Now())
        changes = job_changes(before, job_facts(inbox_ids))
        record(
            changes, who=who, verb="reschedule", reason=reason, submission=submission._asdict() if submission else None
        )
        if inbox_ids:
            notify()
    return inbox_ids
