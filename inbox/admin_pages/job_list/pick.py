"""Pick: the keys of the jobs that a list shows, newest first, from a bounded part of the table.

Only jobs in trouble, open ones and error kinds have an index to find few among many. Of what an index gives, and where
there is none of the newest jobs, a part of fixed size is looked through, and the list says so if there is more. One
statement gives the keys of all pages and with them the count, so nothing is looked through twice.
In SQL, as the ORM can't filter what a LIMIT has cut off; without the cut a filter that matches nothing reads the table.
What can go wrong: a job that matches is older than the part. Then a further filter, such as a status, finds it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from inbox.db import bounded_count
from inbox.db.distinct_values import sources_seen
from inbox.db.planner import by_index
from inbox.statuses import TROUBLED_STATUSES, Status

# How many rows are looked through at most; each is 5 to 15 ms, as cached rows take 0.15 µs in key order, 0.6 in others.
NEWEST_JOBS = 100_000
TROUBLED_JOBS = 10_000
# Of each source, and of claimed, FAILED and WAITING ones.
OPEN_JOBS = 5_000
OPEN_FOR = {"300": "5 minutes", "3600": "1 hour", "86400": "1 day", "604800": "1 week"}

COLUMNS = "inbox_id, source, message_type, status, error_kind, locked_by, created_at"
NEWEST = """
SELECT inbox_id FROM integration_inbox WHERE inbox_id > (SELECT max(inbox_id) FROM integration_inbox) - %(newest_jobs)s
"""
HAS_OLDER = """
SELECT EXISTS (SELECT 1 FROM integration_inbox
                WHERE inbox_id <= (SELECT max(inbox_id) FROM integration_inbox) - %(newest_jobs)s)
"""
# BETWEEN and an order by the same column, where `=` would do: only the partial index has that order. With `=` the
# planner goes through all jobs by key when it expects many of the status.
TROUBLED = f"""
SELECT {COLUMNS} FROM integration_inbox
 WHERE status IN ('FAILED', 'WAITING', 'DEAD') AND status BETWEEN %(troubled)s AND %(troubled)s
 ORDER BY status {{way}}, inbox_id {{way}}
"""
OF_KIND = f"""
SELECT {COLUMNS} FROM integration_inbox
 WHERE error_kind IS NOT NULL AND error_kind BETWEEN %(error_kind)s AND %(error_kind)s
 ORDER BY error_kind DESC, inbox_id DESC
"""
DUE = f"""
SELECT {COLUMNS} FROM integration_inbox
 WHERE source = {{source}} AND status IN ('NEW', 'FAILED', 'WAITING') ORDER BY next_attempt_at, inbox_id
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
    """Keys, newest first, at most one more than `bounded_count.LIMIT`; for a person, which jobs were looked through."""

    keys: list[int]
    says: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the table in the order of an index, cut after `limit` rows; `says` tells a person which rows it is."""

    sql: str
    limit: int
    says: str = ""
    values: dict[str, Any] = field(default_factory=dict)


def wanted(parameters: Any) -> dict[str, Any]:
    """What the parameters of a list's address ask for; whatever no filter knows is left out."""
    found = {name: parameters.get(name) for name in ("source", "message_type", "error_kind", "locked_by")}
    status, open_for = parameters.get("status__exact"), parameters.get("open_for")
    found |= {"status": status, "open_for": int(open_for) if open_for in OPEN_FOR else None}
    return {name: value for name, value in found.items() if value}


def pick(asked: dict[str, Any]) -> Picked:
    """The jobs that match all of what `wanted` gave."""
    if _matches_nothing(asked):
        return Picked([])
    status, open_for = asked.get("status"), asked.get("open_for")
    with by_index():
        if status in TROUBLED_STATUSES or "error_kind" in asked:
            return _from(_few(asked), asked)
        if status == Status.PROCESSING or "locked_by" in asked:
            return _from([_claimed()], asked)
        if status == Status.NEW or open_for:
            return _from(_open(asked), asked)
        return _newest(asked)


def _matches_nothing(asked: dict[str, Any]) -> bool:
    status = asked.get("status")
    return ("locked_by" in asked and status not in (None, Status.PROCESSING)) or (
        "open_for" in asked and status in (Status.DONE, Status.DEAD)
    )


def _few(asked: dict[str, Any]) -> list[Part]:
    """By an index that has only jobs in trouble or with errors. Of two such filters either may have fewer."""
    status = asked.get("status")
    only = len(asked) == 1
    limit = bounded_count.LIMIT + 1 if only else TROUBLED_JOBS
    parts = []
    if status in TROUBLED_STATUSES:
        # Whoever asks for old ones wants the oldest.
        way, which = ("ASC", "oldest") if "open_for" in asked else ("DESC", "newest")
        says = "" if only else f"the {which} {limit:,} {status} jobs"
        parts.append(Part(TROUBLED.format(way=way), limit, says, {"troubled": status}))
    if "error_kind" in asked:
        parts.append(Part(OF_KIND, limit, "" if only else f"the newest {limit:,} jobs of the error kind"))
    return parts


def _claimed() -> Part:
    return Part(CLAIMED, OPEN_JOBS, f"the {OPEN_JOBS:,} jobs that are claimed for longest")


def _open(asked: dict[str, Any]) -> list[Part]:
    sources = [asked["source"]] if "source" in asked else sources_seen()
    parts = [
        Part(
            DUE.format(source=f"%(source_{number})s"),
            OPEN_JOBS,
            f"the first {OPEN_JOBS:,} open jobs of {source} by the time when they are due",
            {f"source_{number}": source},
        )
        for number, source in enumerate(sources)
    ]
    if asked.get("status") == Status.NEW:
        return parts
    for status in (Status.FAILED, Status.WAITING):
        sql = TROUBLED.format(way="ASC").replace("troubled", f"troubled_{status}")
        parts.append(
            Part(sql, OPEN_JOBS, f"the oldest {OPEN_JOBS:,} {status} jobs", {f"troubled_{status}": str(status)})
        )
    return [*parts, _claimed()]


def _newest(asked: dict[str, Any]) -> Picked:
    limit = bounded_count.LIMIT + 1
    values = {**asked, "newest_jobs": NEWEST_JOBS, "limit": limit}
    jobs = f"{NEWEST} AND {_conditions(asked)}" if asked else "SELECT inbox_id FROM integration_inbox"
    sql = f"{jobs} ORDER BY inbox_id DESC LIMIT %(limit)s"
    keys = [row[0] for row in _fetch(sql, values)]
    if not asked:
        return Picked(keys)
    [(has_older,)] = _fetch(HAS_OLDER, values)
    if not has_older:
        return Picked(keys)
    says = f"the newest {NEWEST_JOBS:,} jobs"
    if "source" not in asked or len(keys) == limit:
        return Picked(keys, _says([says]))
    # A source that rarely has a message has none among the newest.
    more = f"the {OPEN_JOBS:,} of the source with the highest message ids"
    found = _from([Part(BY_MESSAGE, OPEN_JOBS, more)], asked)
    merged = sorted({*keys, *found.keys}, reverse=True)[:limit]
    return Picked(merged, _says([says, more]) if found.says else "")


def _from(parts: list[Part], asked: dict[str, Any]) -> Picked:
    """What matches in any of the parts."""
    if not parts:
        return Picked([])
    seen = " UNION ALL ".join(
        f"(SELECT {number} AS part, * FROM ({part.sql} LIMIT {part.limit}) AS part_{number})"
        for number, part in enumerate(parts)
    )
    sql = (
        f"SELECT part, count(*), array_agg(inbox_id) FILTER (WHERE {_conditions(asked)}) "
        f"FROM ({seen}) AS seen GROUP BY part"
    )
    values = asked | {name: value for part in parts for name, value in part.values.items()}
    keys: set[int] = set()
    says = []
    for number, count, found in _fetch(sql, values):
        keys.update(found or [])
        if count >= parts[number].limit and parts[number].says:
            says.append(parts[number].says)
    return Picked(sorted(keys, reverse=True)[: bounded_count.LIMIT + 1], _says(says))


def _says(parts: Iterable[str]) -> str:
    text = ", ".join(parts)
    return f"Looked through: {text}. There may be more that match." if text else ""


def _conditions(asked: Iterable[str]) -> str:
    return " AND ".join(CONDITIONS[name] for name in asked) or "true"


def _fetch(sql: str, values: dict[str, Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()
