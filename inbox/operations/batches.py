"""Applies an operation to many jobs in batches, each a transaction, so that no lock is held for long."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.db.models import Max

from inbox.models import InboxJob
from inbox.models.job import JobQuerySet
from inbox.operations.operation import Operation, apply

# Jobs per transaction: locks are held for some 50 ms, and claims skip them anyway.
BATCH = 500


@dataclass(slots=True)
class Done:
    """The keys of the jobs that it was done to, and of those that others held, or had changed by then."""

    inbox_ids: list[int] = field(default_factory=list)
    left_alone: list[int] = field(default_factory=list)


def apply_in_batches(
    operation: Operation, jobs: JobQuerySet, *, who: str, reason: str, batch_size: int = BATCH
) -> Iterator[Done]:
    """Do it to all of `jobs` that it takes, in batches that are transactions of their own; yields each one's result.

    Looks at each job once, up to the newest at the start, so a job that fails again is not requeued for ever.
    """
    newest = InboxJob.objects.aggregate(newest=Max("inbox_id"))["newest"]
    if newest is None:
        return
    ahead = operation.possible(jobs).filter(pk__lte=newest).order_by("pk").values_list("pk", flat=True)
    inbox_ids = list(ahead[:batch_size])
    while inbox_ids:
        taken = apply(operation, jobs.filter(inbox_id__any_of=inbox_ids), who=who, reason=reason, limit=batch_size)
        yield Done(taken, sorted(set(inbox_ids).difference(taken)))
        if len(inbox_ids) < batch_size:
            return
        # Behind the last batch: from the start it would read all of them again.
        inbox_ids = list(ahead.filter(pk__gt=inbox_ids[-1])[:batch_size])
