"""In batches: does a verb to many jobs, a batch per transaction, so that no lock is held for long."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from django.db.models import Max

from inbox.models import InboxJob
from inbox.models.job import JobQuerySet

# Jobs per transaction: locks of some 50 ms, which no claim has to wait for anyway.
BATCH = 500


@dataclass(slots=True)
class Done:
    """The keys of the jobs that it was done to, and of those that somebody else had, or had changed, by then."""

    inbox_ids: list[int] = field(default_factory=list)
    left_alone: list[int] = field(default_factory=list)


def in_batches(jobs: JobQuerySet, verb: Callable[..., list[int]], batch_size: int = BATCH) -> Iterator[Done]:
    """Call `verb(jobs, limit=…)`, which returns the keys it took, for batches of `jobs`; yields what became of each."""
    for inbox_ids in _batches(jobs, batch_size):
        taken = verb(jobs.filter(inbox_id__any_of=inbox_ids), limit=batch_size)
        yield Done(taken, sorted(set(inbox_ids).difference(taken)))


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
