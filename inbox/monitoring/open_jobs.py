"""Jobs by status, what the open ones wait for, and why jobs died."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Count, Max, Min, Q
from django.db.models.functions import Coalesce, Greatest, Left, Now

from inbox import registry
from inbox.db.distinct_values import sources_seen
from inbox.db.planner import by_index
from inbox.models import InboxJob, SourcePause
from inbox.monitoring.age import Age, finite
from inbox.statuses import DUE_STATUSES, ENDED_STATUSES, Status

# Ended jobs have no index by status. The newest 100,000 by key are read in 30 ms.
NEWEST = 100_000
OPEN_STATUSES = (Status.NEW, Status.PROCESSING, Status.FAILED, Status.WAITING)
# WAITING jobs whose notes are read.
NOTES = 10_000


@dataclass(frozen=True, slots=True)
class Remaining:
    """Open jobs of one kind, and what they wait for.

    next_in_s  seconds until the first is due, below 0 if it is overdue; None if that never comes
    is_paused  due, but the service that they need is not there
    oldest_s   seconds since the first is due here, or claimed
    """

    status: str
    why: str
    count: int
    next_in_s: float | None
    source: str
    message_type: str
    is_due: bool
    has_handler: bool
    is_paused: bool
    oldest_s: float | None


@dataclass(frozen=True, slots=True)
class Ended:
    """How many jobs are DONE and DEAD. With `since`, only jobs from this key on were counted; there may be more."""

    counts: dict[str, int]
    since: int | None
    last_finished_s: float | None

    @property
    def is_partial(self) -> bool:
        """Older jobs were not looked at."""
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
        last_s=Age(Max("finished_at")),
    )
    counts = {str(Status.DONE): seen["done"], str(Status.DEAD): seen["dead"]}
    return Ended(counts, seen["since"] if seen["count"] == newest else None, finite(seen["last_s"]))


def count_by_status(open_jobs: list[Remaining] | None = None, ended: Ended | None = None) -> dict[str, int]:
    """How many jobs have each status: exact for the open ones, among the newest 100,000 for the ended ones."""
    counts = dict.fromkeys(map(str, [*OPEN_STATUSES, *ENDED_STATUSES]), 0)
    for group in remaining() if open_jobs is None else open_jobs:
        counts[group.status] += group.count
    return counts | (ended or count_ended()).counts


# In the order of an index that only jobs in trouble have, and cut: a flood of DEAD jobs must not slow the page that
# tells of it. BETWEEN, where `=` would do, as with `=` the planner may go through all jobs by key.
NEWEST_DEAD = """
SELECT {what}, count(*)
  FROM (SELECT inbox_id, last_error, error_kind FROM integration_inbox
         WHERE status IN ('FAILED', 'WAITING', 'DEAD') AND status BETWEEN 'DEAD' AND 'DEAD'
         ORDER BY status DESC, inbox_id DESC LIMIT %(dead)s) AS newest
 WHERE inbox_id >= %(since)s GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %(limit)s
"""
# DEAD jobs of which that counts at most.
DEAD = 5_000


def dead_by_reason(finished_by: str | None = None, limit: int = 20, since: int | None = None) -> list[tuple[str, int]]:
    """The commonest reasons of DEAD jobs with their counts, commonest first.

    `finished_by` names a worker, all of whose jobs are looked at; with `since`, only jobs from this key on are, and of
    them at most 5,000.
    """
    if since is not None:
        return _newest_dead("coalesce(last_error, error_kind, 'no reason recorded')", since, limit)
    conditions = {"finished_by": finished_by} if finished_by else {}
    rows = (
        InboxJob.objects.filter(status=Status.DEAD, **conditions)
        .annotate(reason=Coalesce("last_error", "error_kind"))
        .values_list("reason")
        .annotate(count=Count("*"))
        .order_by("-count", "reason")[:limit]
    )
    return [(reason or "no reason recorded", count) for reason, count in rows]


def dead_by_kind(since: int | None, limit: int = 20) -> dict[str, int]:
    """The commonest kinds of error of DEAD jobs from this key on, of at most 5,000."""
    return dict(_newest_dead("coalesce(error_kind, 'none')", since or 0, limit))


def _newest_dead(what: str, since: int, limit: int) -> list[tuple[str, int]]:
    with by_index(), connection.cursor() as cursor:
        cursor.execute(NEWEST_DEAD.format(what=what), {"dead": DEAD, "since": since, "limit": limit})
        return cursor.fetchall()


def remaining(limit: int | None = None) -> list[Remaining]:
    """Open jobs, grouped by what they wait for; with `limit`, of so many of each source, those due first."""
    groups = []
    pauses = dict(SourcePause.objects.values_list("source", "reason"))
    for source, message_type, status, count, due, next_in_s, oldest_s in _waiting_their_turn(limit):
        kind = (status, source, message_type)
        if due:
            overdue = None if oldest_s is None else -oldest_s
            pause = pauses.get(source)
            groups.append(_group(*kind, due, next_in_s=overdue, oldest_s=oldest_s, is_due=True, pause=pause))
        if count > due:
            groups.append(_group(*kind, count - due, next_in_s=next_in_s))
    for source, message_type, status, count, oldest_s in _claimed():
        groups.append(_group(status, source, message_type, count, oldest_s=oldest_s))
    return sorted(groups, key=lambda group: (group.source, group.message_type, group.status, not group.is_due))


# Two queries, as each has an index of its own; one for all four statuses would read the whole table.
# FILTER, as a fourth column to group by costs half as much again when a million jobs are open.
def _waiting_their_turn(limit: int | None) -> Any:
    if limit is not None:
        return _first_of_each_source(limit)
    is_due = Q(next_attempt_at__lte=Now())
    # A message can be much older than its job; it is due here since the job was made.
    due_since = Min(Greatest("next_attempt_at", "created_at"), filter=is_due)
    return (
        InboxJob.objects.filter(status__in=DUE_STATUSES)
        .values_list("source", "message_type", "status")
        .annotate(
            count=Count("*"),
            due=Count("inbox_id", filter=is_due),
            next_in_s=-Age(Min("next_attempt_at", filter=~is_due)),
            oldest_s=Age(due_since),
        )
        .order_by()
    )


# Each source by itself, in the order of the index inbox_due: all open jobs are too many to read for a page.
FIRST = """
SELECT source, message_type, status, next_attempt_at, created_at FROM integration_inbox
 WHERE source = %s AND status IN ('NEW', 'FAILED', 'WAITING') ORDER BY next_attempt_at, inbox_id LIMIT %s
"""
GROUPED = """
SELECT source, message_type, status, count(*), count(*) FILTER (WHERE next_attempt_at <= now()),
       (extract(epoch FROM min(next_attempt_at) FILTER (WHERE next_attempt_at > now()))
        - extract(epoch FROM statement_timestamp()))::float8,
       (extract(epoch FROM statement_timestamp())
        - extract(epoch FROM min(greatest(next_attempt_at, created_at))
                             FILTER (WHERE next_attempt_at <= now())))::float8
  FROM ({first}) AS first GROUP BY source, message_type, status
"""


def _first_of_each_source(limit: int) -> Any:
    sources = sources_seen()
    if not sources:
        return []
    first = " UNION ALL ".join([f"({FIRST})"] * len(sources))
    with by_index(), connection.cursor() as cursor:
        cursor.execute(GROUPED.format(first=first), [value for source in sources for value in (source, limit)])
        return cursor.fetchall()


def _claimed() -> Any:
    return (
        InboxJob.objects.filter(status=Status.PROCESSING)
        .values_list("source", "message_type", "status")
        .annotate(count=Count("*"), oldest_s=Age(Min("locked_at")))
        .order_by()
    )


def _group(
    status: str,
    source: str,
    message_type: str,
    count: int,
    *,
    next_in_s: float | None = None,
    oldest_s: float | None = None,
    is_due: bool = False,
    pause: str | None = None,
) -> Remaining:
    known = registry.find(source)
    has_handler = known is not None and message_type in known.message_types
    return Remaining(
        status=status,
        why=_why(status, f"{source}/{message_type}", is_due=is_due, has_handler=has_handler, pause=pause),
        count=count,
        next_in_s=finite(next_in_s),
        source=source,
        message_type=message_type,
        is_due=is_due,
        has_handler=has_handler,
        is_paused=pause is not None,
        oldest_s=finite(oldest_s),
    )


def _why(status: str, kind: str, *, is_due: bool, has_handler: bool, pause: str | None) -> str:
    if status == Status.PROCESSING:
        return "another worker has them"
    if not has_handler:
        return f"no handler here for {kind}"
    if pause is not None:
        return f"{kind.split('/')[0]} pauses: {pause}"
    if is_due:
        return "due"
    return {"FAILED": "will be tried again", "WAITING": "wait for something"}.get(status, "not yet due")


def waiting_for(limit: int = 10) -> list[tuple[str, int]]:
    """What WAITING jobs wait for, by their notes, commonest first; of at most 10,000 jobs."""
    notes = InboxJob.objects.filter(status=Status.WAITING).values_list(Left("note", 200), flat=True)[:NOTES]
    return Counter(note or "nothing that is noted" for note in notes).most_common(limit)
