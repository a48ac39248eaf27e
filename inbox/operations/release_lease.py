"""Release a lease: an operator takes PROCESSING jobs from whoever has them, for a reason that stays on record.

They are NEW again with their attempt, and run alone from then on: if it was the job that hung its worker, no neighbour
hangs with it. What the old owner still writes is refused, as its lease no longer holds the job. What can go wrong: a
worker's transaction has the row locked at that moment (it is left alone; it ends by itself, or with that session).
"""

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest, Now

from inbox.db.notify import notify
from inbox.engine.audit import job_changes, job_facts, reason_of, record
from inbox.models import InboxJob
from inbox.models.job import JobQuerySet
from inbox.operations.submission import Submission
from inbox.statuses import Status


def releasable(jobs: JobQuerySet) -> JobQuerySet:
    """Those of `jobs` that somebody has."""
    return jobs.filter(status=Status.PROCESSING)


def release_lease(
    jobs: JobQuerySet, *, who: str, reason: str, limit: int, submission: Submission | None = None
) -> list[int]:
    """Release at most `limit` of these jobs, in one transaction with their audit entries; returns their keys.

    Raises NoReason for a blank reason.
    """
    reason = reason_of(reason)
    with transaction.atomic():
        inbox_ids = releasable(jobs).lock_keys(limit)
        before = job_facts(inbox_ids)
        releasable(InboxJob.objects.filter(inbox_id__any_of=inbox_ids)).update(
            status=Status.NEW,
            locked_by=None,
            locked_at=None,
            attempt_count=Greatest(F("attempt_count") - 1, 0),
            runs_alone=True,
            updated_at=Now(),
        )
        changes = job_changes(before, job_facts(inbox_ids))
        record(
            changes,
            who=who,
            verb="release lease",
            reason=reason,
            submission=submission._asdict() if submission else None,
        )
        if inbox_ids:
            notify()
    return inbox_ids
