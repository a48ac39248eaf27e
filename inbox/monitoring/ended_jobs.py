"""Jobs that are DONE or DEAD, and why jobs died.

No index has ended jobs by status, so they are counted among the newest jobs only, unless all are asked for.
"""

from dataclasses import dataclass

from django.db import connection
from django.db.models import Count, Max, Min, Q
from django.db.models.functions import Coalesce, Now

from inbox.db.planner import by_index
from inbox.models import InboxJob
from inbox.models.job import JobQuerySet
from inbox.monitoring.age import Age, finite
from inbox.statuses import Status

# Reading the newest 100,000 by key takes 30 ms.
NEWEST = 100_000
NO_REASON = "no reason recorded"


@dataclass(frozen=True, slots=True)
class Ended:
    """How many jobs are DONE and DEAD. With `since`, only jobs from this key on were counted; there may be more."""

    counts: dict[str, int]
    since: int | None
    last_finished_s: float | None

    @property
    def is_partial(self) -> bool:
        """Older jobs were not counted."""
        return self.since is not None


def count_ended(newest: int | None = NEWEST) -> Ended:
    """Count DONE and DEAD among the `newest` jobs; None counts all, and reads the whole table."""
    # A LIMIT by key, read backwards: one process and no sort, however many jobs there are.
    jobs = InboxJob.objects.order_by("-inbox_id") if newest else InboxJob.objects.order_by()
    seen = jobs[:newest].aggregate(
        count=Count("*"),
        since=Min("inbox_id"),
        done=Count("inbox_id", filter=Q(status=Status.DONE)),
        dead=Count("inbox_id", filter=Q(status=Status.DEAD)),
        # A job that ended in the future ended before the clock went back.
        last_s=Age(Max("finished_at", filter=Q(finished_at__lte=Now()))),
    )
    counts = {str(Status.DONE): seen["done"], str(Status.DEAD): seen["dead"]}
    return Ended(counts, seen["since"] if seen["count"] == newest else None, finite(seen["last_s"]))


# In the order of an index that only jobs in trouble have, and cut: a flood of DEAD jobs must not slow the page that
# reports it. BETWEEN, where `=` would do: with `=` the planner may go through all jobs by key.
COUNT_NEWEST_DEAD = """
SELECT {what}, count(*)
  FROM (SELECT inbox_id, last_error, error_kind FROM integration_inbox
         WHERE status IN ('FAILED', 'WAITING', 'DEAD') AND status BETWEEN 'DEAD' AND 'DEAD'
         ORDER BY status DESC, inbox_id DESC LIMIT %(dead)s) AS newest
 WHERE inbox_id >= %(since)s GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %(limit)s
"""
# DEAD jobs that this reads at most.
DEAD = 5_000


def dead_by_reason(ended: Ended, limit: int = 20) -> list[tuple[str, int]]:
    """The most common reasons of the DEAD jobs in `ended`, with their counts; of at most 5,000 if it is partial."""
    if not ended.counts[Status.DEAD]:
        return []
    if ended.since is None:
        return _by_reason(InboxJob.objects.all(), limit)
    return _count_newest_dead(f"coalesce(last_error, error_kind, '{NO_REASON}')", ended.since, limit)


def dead_by_kind(ended: Ended, limit: int = 20) -> dict[str, int]:
    """The most common error kinds of the DEAD jobs in `ended`, of at most 5,000."""
    return dict(_count_newest_dead("coalesce(error_kind, 'none')", ended.since or 0, limit))


def dead_of_worker(worker_id: str, limit: int = 20) -> list[tuple[str, int]]:
    """The most common reasons of the jobs that this worker has ended as DEAD, with their counts."""
    return _by_reason(InboxJob.objects.filter(finished_by=worker_id), limit)


def _by_reason(jobs: JobQuerySet, limit: int) -> list[tuple[str, int]]:
    rows = (
        jobs.filter(status=Status.DEAD)
        .annotate(reason=Coalesce("last_error", "error_kind"))
        .values_list("reason")
        .annotate(count=Count("*"))
        .order_by("-count", "reason")[:limit]
    )
    return [(reason or NO_REASON, count) for reason, count in rows]


def _count_newest_dead(what: str, since: int, limit: int) -> list[tuple[str, int]]:
    with by_index(), connection.cursor() as cursor:
        cursor.execute(COUNT_NEWEST_DEAD.format(what=what), {"dead": DEAD, "since": since, "limit": limit})
        return cursor.fetchall()
