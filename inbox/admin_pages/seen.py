"""Seen: how jobs were when a page showed them, as a text that its form carries; those that have changed are left alone.

Keys alone would not do: a job may have moved since. Nor would the time of the page: `updated_at` is set before the
commit, so a handler that runs long writes a time that was over when the page was made. So each job has a mark: when it
was last written, or while a worker has it its lease, as a heartbeat writes the time too.
Failure modes: a text of many jobs belongs to another person, operation or list, or was written by hand. Then it is
not read, as it is signed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Self
from uuid import UUID

from django.core import signing
from django.db.models import Q

from inbox.db import bounded_count
from inbox.db.planner import by_index
from inbox.fields import FIRST, LAST
from inbox.models import InboxJob
from inbox.models.job import JobQuerySet
from inbox.statuses import Status

# For a time outside Python's range; every move replaces it with one inside.
UNREADABLE = "?"
# The mark of a job in hand begins with this.
LEASE = "lease "
IN_HAND = Q(status=Status.PROCESSING)


def seen(job: InboxJob) -> str:
    """The mark of the job's present state: every move writes updated_at, every claim makes a lease."""
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


@dataclass(frozen=True, slots=True)
class SeenJobs:
    """The mark of each job by its key; `says` tells a person what was left out, if anything was."""

    marks: dict[int, str]
    says: str = ""

    def as_text(self, of: str) -> str:
        """For a form. `of` is what the text is good for: 10,000 jobs are some 150,000 characters."""
        return signing.dumps({"marks": self.marks, "says": self.says}, salt=_salt(of), compress=True)

    @classmethod
    def from_text(cls, text: str, of: str) -> Self | None:
        """The jobs as they were seen, from a text of `as_text` for the same `of`; None for any other text."""
        try:
            found = signing.loads(text, salt=_salt(of))
        except signing.BadSignature:
            return None
        return cls({int(key): mark for key, mark in found["marks"].items()}, found["says"])

    def behind(self, count: int) -> Self:
        """Without the first `count` jobs."""
        return type(self)(dict(islice(self.marks.items(), count, None)), self.says)

    def unchanged(self, keys: Iterable[int]) -> JobQuerySet:
        """Those of `keys` that are as they were seen.

        A mark of any of them will do, which is an array and no condition per job: what one transaction wrote is seen
        as a whole or not at all, so no job takes the mark of another later.
        """
        keys = list(keys)
        leases, times = set(), set()
        for key in keys:
            mark = self.marks[key]
            if mark.startswith(LEASE):
                leases.add(UUID(mark.removeprefix(LEASE)))
            elif mark != UNREADABLE:
                times.add(datetime.fromisoformat(mark))
        as_written = Q(updated_at__any_of=times)
        if any(self.marks[key] == UNREADABLE for key in keys):
            as_written |= ~Q(updated_at__range=(FIRST, LAST))
        as_seen = (IN_HAND & Q(lease_id__any_of=leases)) | (~IN_HAND & as_written)
        return InboxJob.objects.filter(as_seen, inbox_id__any_of=keys)


def look(jobs: JobQuerySet, says: str = "") -> SeenJobs:
    """See these jobs, the first `bounded_count.LIMIT` of them; `says` tells which were looked through, if not all."""
    columns = jobs.values_list("inbox_id", "status", "lease_id", "updated_at")
    with by_index():
        rows = list(columns[: bounded_count.LIMIT + 1])
    if len(rows) > bounded_count.LIMIT:
        says = f"{says} More than {bounded_count.LIMIT:,} match; only the first are affected.".lstrip()
    marks = {
        key: f"{LEASE}{lease_id}" if status == Status.PROCESSING else written(updated_at)
        for key, status, lease_id, updated_at in rows[: bounded_count.LIMIT]
    }
    return SeenJobs(marks, says)


def _salt(of: str) -> str:
    return f"inbox.seen_many {of}"
