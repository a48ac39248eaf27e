"""Mark dead: an operator ends NEW, FAILED or WAITING jobs that can't succeed, for a reason that stays on record.

What can go wrong: somebody has the row at that moment (it is left alone), or it could have succeeded: then a requeue
brings it back.
"""

from django.db import transaction
from django.db.models.functions import Now

from inbox.db.storable import storable
from inbox.engine.audit import job_changes, job_facts, reason_of, record
from inbox.models import InboxJob
from inbox.models.job import JobQuerySet
from inbox.operations.submission import Submission
from inbox.statuses import DUE_STATUSES, Status

KIND = "MarkedDead"
# The reason itself is a person's words and stays in the audit: error texts are counted, sent and compared.
TEXT = "ended by an operator; the audit says why"


def endable(jobs: JobQuerySet) -> JobQuerySet:
    """Those of `jobs` that can be marked dead."""
    return jobs.filter(status__in=DUE_STATUSES)


def mark_dead(
    jobs: JobQuerySet, *, who: str, reason: str, limit: int, submission: Submission | None = None
) -> list[int]:
    """Mark at most `limit` of these jobs DEAD, in one transaction with their audit entries; returns their keys.

    Takes only what nobody holds. Raises NoReason for a blank reason.
    """
    reason = reason_of(reason)
    with transaction.atomic():
        inbox_ids = endable(jobs).lock_keys(limit)
        before = job_facts(inbox_ids)
        endable(InboxJob.objects.filter(inbox_id__any_of=inbox_ids)).update(
            status=Status.DEAD,
            error_kind=KIND,
            last_error=TEXT,
            waiting_since=None,
            finished_at=Now(),
            finished_by=storable(who, 200),
            updated_at=Now(),
        )
        changes = job_changes(before, job_facts(inbox_ids))
        record(
            changes, who=who, verb="mark dead", reason=reason, submission=submission._asdict() if submission else None
        )
    return inbox_ids
