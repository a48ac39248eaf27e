"""Pick: the keys of the jobs that a list shows, newest first, from a bounded part of the table.

Indexes find few among many only for jobs in trouble, open jobs and error kinds. A list searches the first rows of such
an index, or the newest jobs, and says so if there are more. One statement gives the keys of all pages and their count.
In SQL, as the ORM can't filter what a LIMIT has cut off; without that cut, a filter that matches nothing would read the
whole table. Failure modes: a job that matches is older. Another filter, such as a status, finds it.
"""

from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.utils.text import get_text_list

from inbox.admin_pages import change_list
from inbox.admin_pages.change_list import has_older, newest
from inbox.db import bounded_count
from inbox.db.distinct_values import sources_seen
from inbox.db.planner import by_index
from inbox.models import InboxJob
from inbox.statuses import TROUBLED_STATUSES, Status

# Rows that one list searches, beside the newest of the table. Each takes 5 to 15 ms: a cached row takes 0.15 µs in key
# order, 0.6 µs in another.
TROUBLED_JOBS = 10_000
# For each source, and for claimed, FAILED and WAITING jobs.
OPEN_JOBS = 5_000
OPEN_FOR = {"300": "5 minutes", "3600": "1 hour", "86400": "1 day", "604800": "1 week"}

COLUMNS = "inbox_id, source, message_type, status, error_kind, locked_by, created_at"
# BETWEEN and an order by the same column, where `=` would do, as only the partial index has that order: with `=` the
# planner reads all jobs by key when it expects many of the status.
TROUBLED = f"""
SELECT {COLUMNS} FROM integration_inbox
 WHERE status IN ('FAILED', 'WAITING', 'DEAD') AND status BETWEEN '{{status}}' AND '{{status}}'
 ORDER BY status {{direction}}, inbox_id {{direction}}
"""
WITH_ERROR_KIND = f"""
SELECT {COLUMNS} FROM integration_inbox
 WHERE error_kind IS NOT NULL AND error_kind BETWEEN %(error_kind)s AND %(error_kind)s
 ORDER BY error_kind DESC, inbox_id DESC
"""
DUE = f"""
SELECT {COLUMNS} FROM integration_inbox
 WHERE source = %(source_{{number}})s AND status IN ('NEW', 'FAILED', 'WAITING') ORDER BY next_attempt_at, inbox_id
"""
CLAIMED = f"SELECT {COLUMNS} FROM integration_inbox WHERE status = 'PROCESSING' ORDER BY locked_at, inbox_id"
BY_MESSAGE = f"SELECT {COLUMNS} FROM integration_inbox WHERE source = %(source)s ORDER BY message_id DESC"

CONDITIONS = {
    "status": "status = %(status)s",
    "source": "source = %(source)s",
    "message_type": "message_type = %(message_type)s",
    "error_kind": "error_kind = %(error_kind)s",
    "locked_by": "status = 'PROCESSING' AND locked_by = %(locked_by)s",
    "open_for": "status NOT IN ('DONE', 'DEAD') AND created_at < now() - %(open_for)s * interval '1 second'",
}


@dataclass(frozen=True, slots=True)
class Picked:
    """Keys, newest first; one more than `bounded_count.LIMIT` if there are more.

    `scope` tells people which jobs were searched; it is empty if all were.
    """

    keys: list[int]
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Slice:
    """The first `limit` rows in the order of an index. `name` says which jobs they are; empty if none is left out."""

    sql: str
    limit: int
    name: str = ""
    values: dict[str, Any] = field(default_factory=dict)


def filters_of(parameters: Any) -> dict[str, Any]:
    """The filters that the parameters of a list's address set, by name; unknown parameters are left out."""
    filters = {name: parameters.get(name) for name in ("source", "message_type", "error_kind", "locked_by")}
    status, open_for = parameters.get("status__exact"), parameters.get("open_for")
    filters |= {"status": status, "open_for": int(open_for) if open_for in OPEN_FOR else None}
    return {name: value for name, value in filters.items() if value}


def pick(filters: dict[str, Any]) -> Picked:
    """The jobs that match all of these filters, which `filters_of` gives."""
    status = filters.get("status")
    if "locked_by" in filters and status not in (None, Status.PROCESSING):
        return Picked([])
    if "open_for" in filters and status in (Status.DONE, Status.DEAD):
        return Picked([])
    with by_index():
        if status in TROUBLED_STATUSES or "error_kind" in filters:
            return _search(_troubled(filters), filters)
        if status == Status.PROCESSING or "locked_by" in filters:
            return _search([_claimed()], filters)
        if status == Status.NEW or "open_for" in filters:
            return _search(_open(filters), filters)
        return _newest(filters)


def _troubled(filters: dict[str, Any]) -> list[Slice]:
    """By the indexes that hold only jobs in trouble or with errors. Given both filters, either may match fewer jobs."""
    status = filters.get("status")
    is_alone = len(filters) == 1
    limit = bounded_count.LIMIT + 1 if is_alone else TROUBLED_JOBS
    slices = []
    if status in TROUBLED_STATUSES:
        # A filter for old jobs wants the oldest first.
        direction, which = ("ASC", "oldest") if "open_for" in filters else ("DESC", "newest")
        name = "" if is_alone else f"the {which} {limit:,} {status} jobs"
        slices.append(Slice(TROUBLED.format(status=status, direction=direction), limit, name))
    if "error_kind" in filters:
        name = "" if is_alone else f"the newest {limit:,} jobs with this error kind"
        slices.append(Slice(WITH_ERROR_KIND, limit, name))
    return slices


def _claimed() -> Slice:
    return Slice(CLAIMED, OPEN_JOBS, f"the {OPEN_JOBS:,} jobs with the oldest claims")


def _open(filters: dict[str, Any]) -> list[Slice]:
    sources = [filters["source"]] if "source" in filters else sources_seen()
    slices = []
    for number, source in enumerate(sources):
        sql, name = DUE.format(number=number), f"the {OPEN_JOBS:,} open jobs of {source} that are due first"
        slices.append(Slice(sql, OPEN_JOBS, name, {f"source_{number}": source}))
    if filters.get("status") == Status.NEW:
        return slices
    for status in (Status.FAILED, Status.WAITING):
        sql = TROUBLED.format(status=status.value, direction="ASC")
        slices.append(Slice(sql, OPEN_JOBS, f"the oldest {OPEN_JOBS:,} {status} jobs"))
    return [*slices, _claimed()]


def _newest(filters: dict[str, Any]) -> Picked:
    """Among the newest jobs; `filters` are values of columns."""
    limit = bounded_count.LIMIT + 1
    jobs = newest(InboxJob.objects.filter(**filters)) if filters else InboxJob.objects.all()
    keys = list(jobs.order_by("-inbox_id").values_list("inbox_id", flat=True)[:limit])
    if not filters or not has_older(InboxJob):
        return Picked(keys)
    name = f"the newest {change_list.NEWEST_ROWS:,} jobs"
    if "source" not in filters or len(keys) == limit:
        return Picked(keys, _scope([name]))
    # A source that rarely has a message may have none among the newest jobs.
    more = f"the {OPEN_JOBS:,} jobs of this source with the highest message ids"
    found = _search([Slice(BY_MESSAGE, OPEN_JOBS, more)], filters)
    merged = sorted({*keys, *found.keys}, reverse=True)[:limit]
    return Picked(merged, _scope([name, more]) if found.scope else "")


def _search(slices: list[Slice], filters: dict[str, Any]) -> Picked:
    """The jobs of any of the slices that match the filters."""
    if not slices:
        return Picked([])
    rows = " UNION ALL ".join(
        f"(SELECT {number} AS part, * FROM ({part.sql} LIMIT {part.limit}) AS part_{number})"
        for number, part in enumerate(slices)
    )
    matches = " AND ".join(CONDITIONS[name] for name in filters)
    sql = f"SELECT part, count(*), array_agg(inbox_id) FILTER (WHERE {matches}) FROM ({rows}) AS seen GROUP BY part"
    values = filters | {name: value for part in slices for name, value in part.values.items()}
    keys: set[int] = set()
    cut = []
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        for number, count, found in cursor:
            keys.update(found or [])
            if count >= slices[number].limit and slices[number].name:
                cut.append(slices[number].name)
    return Picked(sorted(keys, reverse=True)[: bounded_count.LIMIT + 1], _scope(cut))


def _scope(names: list[str]) -> str:
    return f"Searched only {get_text_list(names, 'and')}. There may be more matches." if names else ""
