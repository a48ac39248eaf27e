"""Seen: what a person saw of a job, as a text that a form carries, so that an edit can be refused if it has changed."""

from datetime import datetime

from inbox.fields import FIRST, LAST
from inbox.models import InboxJob
from inbox.models.job import JobQuerySet
from inbox.statuses import Status

# For a time outside Python's range; every move replaces it with one inside.
UNREADABLE = "?"


def seen(job: InboxJob) -> str:
    """What identifies the job's state as it is now: every move writes updated_at, every claim makes a lease.

    While a worker has it, only the lease counts, as a heartbeat writes updated_at too.
    """
    at = "" if job.status == Status.PROCESSING else written(job.updated_at)
    return f"{job.status} {job.lease_id or '-'} {at}".strip()


def written(updated_at: datetime | None) -> str:
    """When a job was last written, as a text that is different after any other move."""
    return updated_at.isoformat() if updated_at else UNREADABLE


def as_seen(inbox_id: int, text: str) -> JobQuerySet:
    """The job, if it is still as `seen` said; a text that `seen` never gives finds nothing."""
    job = InboxJob.objects.filter(pk=inbox_id).first()
    if job is None or seen(job) != text:
        return InboxJob.objects.none()
    jobs = InboxJob.objects.filter(pk=inbox_id, status=job.status, lease_id=job.lease_id)
    # These conditions are checked again under the lock, so they find what is written in between.
    if job.status == Status.PROCESSING:
        return jobs
    return jobs.filter(updated_at=job.updated_at) if job.updated_at else jobs.exclude(updated_at__range=(FIRST, LAST))
