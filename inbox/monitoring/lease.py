"""Lease: which worker has a job, since when, and whether that worker is alive."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from inbox.models import InboxJob, InboxWorker
from inbox.monitoring.age import Age, in_words
from inbox.statuses import Status
from inbox.worker.liveness import list_gone


@dataclass(frozen=True, slots=True)
class Lease:
    """`state` is for people; `is_bad` if the worker is gone or the claim is older than INBOX_STALE_AFTER.

    `since` is None for a time that can't be read.
    """

    who: str
    since: datetime | None
    age_s: float
    worker: InboxWorker | None
    state: str
    is_bad: bool


def lease_of(job: InboxJob) -> Lease | None:
    """The lease of a job; None if no worker has it."""
    if job.status != Status.PROCESSING:
        return None
    age_s = InboxJob.objects.filter(pk=job.pk).values_list(Age("locked_at"), flat=True).first() or 0.0
    worker = InboxWorker.objects.filter(pk=job.presence_id).first() if job.presence_id is not None else None
    state, is_gone = _worker_state(worker)
    # As a reclaimer sees it: a claim from the future is as bad.
    is_stale = abs(age_s) > settings.INBOX_STALE_AFTER
    if is_stale:
        state += f"; the claim is older than {in_words(settings.INBOX_STALE_AFTER)} and will be reclaimed"
    return Lease(job.locked_by or "", job.locked_at, age_s, worker, state, is_stale or is_gone)


def _worker_state(worker: InboxWorker | None) -> tuple[str, bool]:
    """For people; and whether it is gone."""
    if worker is None:
        return "not registered, so only the age of the claim can tell", False
    if worker.state != InboxWorker.State.RUNNING:
        return "ended", True
    if worker.pk in list_gone():
        return "gone; its jobs will be reclaimed in a moment", True
    return "alive", False
