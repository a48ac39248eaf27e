"""Open jobs in groups, what each group waits for, and what WAITING jobs have noted."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from django.db import connection
from django.db.models import Count, Min
from django.db.models.functions import Left

from inbox import registry
from inbox.db.distinct_values import sources_seen
from inbox.db.planner import by_index
from inbox.engine.hold_up import HELD_UP
from inbox.models import InboxJob, SourcePause
from inbox.monitoring.age import Age, finite
from inbox.statuses import Status

# WAITING jobs whose notes are read.
NOTES = 10_000


@dataclass(frozen=True, slots=True)
class OpenJobs:
    """Open jobs of one source, type and status: those that are due, or those that are not.

    next_in_s  seconds until the first is due, below 0 if it is overdue; None if that never comes
    oldest_s   seconds since the first became due here, or was claimed
    pause      why the source is paused, if the jobs are due
    note       why the database refused NEW jobs of this type, if some are held up
    held_up_s  seconds since the first of those began to wait
    """

    source: str
    message_type: str
    status: str
    count: int
    is_due: bool = False
    next_in_s: float | None = None
    oldest_s: float | None = None
    pause: str | None = None
    note: str | None = None
    held_up_s: float | None = None

    @property
    def is_paused(self) -> bool:
        """They are due, but the service that they need is not available."""
        return self.pause is not None

    @property
    def has_handler(self) -> bool:
        """This process could work on them."""
        source = registry.find(self.source)
        return source is not None and self.message_type in source.message_types

    @property
    def why(self) -> str:
        """Why they are still open, for people."""
        if self.status == Status.PROCESSING:
            return "claimed by another worker"
        if not self.has_handler:
            return f"no handler here for {self.source}/{self.message_type}"
        if self.is_paused:
            return f"{self.source} is paused: {self.pause}"
        if self.note:
            return self.note
        if self.is_due:
            return "due now"
        return {"FAILED": "will be retried", "WAITING": "waiting for something"}.get(self.status, "not yet due")

    def as_json(self) -> dict[str, Any]:
        """All fields and properties."""
        properties = ("is_paused", "has_handler", "why")
        return {**asdict(self), **{name: getattr(self, name) for name in properties}}


def list_open_jobs(limit: int | None = None) -> list[OpenJobs]:
    """All open jobs in groups. With `limit`, of each source only so many unclaimed ones are read, those due first."""
    pauses = dict(SourcePause.objects.values_list("source", "reason"))
    groups = []
    for source, message_type, status, count, due, next_in_s, oldest_s, *held_up in _group_unclaimed(limit):
        kind = (source, message_type, status)
        if due:
            oldest_s = finite(oldest_s)
            overdue_s = None if oldest_s is None else -oldest_s
            groups.append(OpenJobs(*kind, due, True, overdue_s, oldest_s, pauses.get(source), *held_up))
        if count > due:
            groups.append(OpenJobs(*kind, count - due, False, finite(next_in_s), None, None, *held_up))
    for source, message_type, status, count, oldest_s in _group_claimed():
        groups.append(OpenJobs(source, message_type, status, count, oldest_s=finite(oldest_s)))
    return sorted(groups, key=lambda group: (group.source, group.message_type, group.status, not group.is_due))


IS_HELD_UP = f"status = 'NEW' AND starts_with(note, '{HELD_UP}')"
# By the index inbox_due. FILTER, because a fourth column to group by costs half as much again with a million open jobs.
# A message can be much older than its job, which is due here only since it was made.
GROUP_UNCLAIMED = """
SELECT source, message_type, status, count(*), count(*) FILTER (WHERE next_attempt_at <= now()),
       (extract(epoch FROM min(next_attempt_at) FILTER (WHERE next_attempt_at > now()))
        - extract(epoch FROM statement_timestamp()))::float8,
       (extract(epoch FROM statement_timestamp())
        - extract(epoch FROM min(greatest(next_attempt_at, created_at))
                             FILTER (WHERE next_attempt_at <= now())))::float8,
       max(note) FILTER (WHERE {held_up}),
       extract(epoch FROM now() - min(waiting_since) FILTER (WHERE {held_up}))::float8
  FROM ({rows}) AS job GROUP BY source, message_type, status
"""
UNCLAIMED = """
SELECT source, message_type, status, next_attempt_at, created_at, note, waiting_since FROM integration_inbox
 WHERE status IN ('NEW', 'FAILED', 'WAITING')
"""
# Each source by itself, in the order of the index: a page has no time to read all open jobs.
FIRST_OF_SOURCE = f"({UNCLAIMED} AND source = %s ORDER BY next_attempt_at, inbox_id LIMIT %s)"


def _group_unclaimed(limit: int | None) -> list[Any]:
    with connection.cursor() as cursor:
        if limit is None:
            cursor.execute(GROUP_UNCLAIMED.format(rows=UNCLAIMED, held_up=IS_HELD_UP))
            return cursor.fetchall()
        sources = sources_seen()
        if not sources:
            return []
        rows = " UNION ALL ".join([FIRST_OF_SOURCE] * len(sources))
        with by_index():
            cursor.execute(
                GROUP_UNCLAIMED.format(rows=rows, held_up=IS_HELD_UP),
                [value for name in sources for value in (name, limit)],
            )
            return cursor.fetchall()


def _group_claimed() -> Any:
    return (
        InboxJob.objects.filter(status=Status.PROCESSING)
        .values_list("source", "message_type", "status")
        .annotate(count=Count("*"), oldest_s=Age(Min("locked_at")))
        .order_by()
    )


def count_notes(limit: int = 10) -> list[tuple[str, int]]:
    """What WAITING jobs wait for, by their notes, most common first; of at most 10,000 jobs."""
    notes = InboxJob.objects.filter(status=Status.WAITING).values_list(Left("note", 200), flat=True)[:NOTES]
    return Counter(note or "nothing that is noted" for note in notes).most_common(limit)
