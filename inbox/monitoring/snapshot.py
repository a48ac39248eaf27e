"""Everything at one moment, for people and for programs."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import Any

from django.db import connection

from inbox.db import bounded_count
from inbox.db.connection_budget import Connections, count_connections
from inbox.monitoring.by_status import ByStatus, count_open_by_status
from inbox.monitoring.open_jobs import (
    NEWEST,
    Ended,
    Remaining,
    count_by_status,
    count_ended,
    dead_by_reason,
    remaining,
    waiting_for,
)
from inbox.monitoring.sources import ROWS, SourceState, source_states
from inbox.monitoring.transactions import Transactions, find_transactions
from inbox.monitoring.workers import Owners, find_owners
from inbox.statuses import Status

# Of a page: open jobs of each source that are read, some 3 ms; jobs of each open status that are counted, some 10 ms;
# rows of each source that wait to be taken in.
OPEN_READ = 5_000
OPEN_COUNTED = 50_000
ROWS_OF_A_PAGE = 2_000

MOMENT = """
SELECT date_trunc('second', statement_timestamp())::text, current_database(),
       (SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass('integration_inbox'))
"""


@dataclass(frozen=True, slots=True)
class Overview:
    """What the inbox holds. `jobs_estimate` is the planner's guess of all jobs, None if it has none."""

    at: str
    database: str
    jobs_estimate: int | None
    open: list[Remaining]
    ended: Ended
    waiting_for: list[tuple[str, int]]
    dead: list[tuple[str, int]]
    owners: Owners
    sources: list[SourceState]
    transactions: Transactions
    connections: Connections
    # Only in what is taken for a page, which has no time to read all open jobs: counts of their own, and the sources of
    # which `open` has only the jobs that are due first.
    by_status: ByStatus | None = None
    cut_sources: frozenset[str] = frozenset()

    @property
    def jobs(self) -> dict[str, int]:
        """Jobs by status."""
        counts = count_by_status(self.open, self.ended)
        if self.by_status:
            counts |= {status: count for status, count in self.by_status.counts.items() if status != Status.DEAD}
        return counts

    @property
    def at_least(self) -> list[str]:
        """The statuses of which there may be more jobs than were counted."""
        more = self.by_status.at_least if self.by_status else ()
        ended = self.ended.counts if self.ended.is_partial else {}
        return [*(status for status in more if status not in self.ended.counts), *ended]

    @property
    def is_bounded(self) -> bool:
        """It was taken for a page, which has no time to read all."""
        return self.by_status is not None

    @property
    def is_due_at_least(self) -> bool:
        """There may be more due jobs than `due` says."""
        return bool(self.cut_sources)

    @property
    def due(self) -> int:
        """How many jobs could be claimed right now, if there is a handler for them."""
        return sum(group.count for group in self.open if group.is_due)

    @property
    def oldest_due_s(self) -> float | None:
        """How long the oldest of them is due."""
        return max((group.oldest_s for group in self.open if group.is_due and group.oldest_s is not None), default=None)

    def as_json(self) -> dict[str, Any]:
        """Only what JSON can say: no infinity."""
        return _without_infinity(
            {
                "at": self.at,
                "database": self.database,
                "jobs": self.jobs,
                "at_least": self.at_least,
                "jobs_estimate": self.jobs_estimate,
                "due": {"count": self.due, "oldest_s": self.oldest_due_s},
                "last_finished_s": self.ended.last_finished_s,
                "open": [asdict(group) for group in self.open],
                "waiting_for": [{"what": what, "count": count} for what, count in self.waiting_for],
                "dead": [{"reason": reason, "count": count} for reason, count in self.dead],
                "workers": asdict(self.owners),
                "sources": [asdict(source) for source in self.sources],
                "transactions": {"oldest_s": self.transactions.oldest_s, **asdict(self.transactions)},
                "connections": self.connections.as_json(),
            }
        )


def _without_infinity(values: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(values), parse_constant=lambda name: None)


def take_overview(newest: int | None = NEWEST, *, is_brief: bool = False, is_bounded: bool = False) -> Overview:
    """Look at everything; ended jobs among the `newest` only, or all of them for None.

    `is_brief` leaves out what jobs wait for and why they died. `is_bounded` is for pages: it reads a bounded number of
    open jobs, of each source those due first, counts to OPEN_COUNTED by status, and leaves out what jobs wait for.
    """
    with connection.cursor() as cursor:
        cursor.execute(MOMENT)
        at, database, estimate = cursor.fetchone()
    open_jobs, ended = remaining(OPEN_READ if is_bounded else None), count_ended(newest)
    has_waiting = any(group.status == Status.WAITING for group in open_jobs)
    overview = Overview(
        at=at,
        database=database,
        jobs_estimate=estimate if estimate is not None and estimate >= 0 else None,
        open=open_jobs,
        ended=ended,
        waiting_for=waiting_for() if has_waiting and not (is_brief or is_bounded) else [],
        dead=dead_by_reason(since=ended.since) if ended.counts[Status.DEAD] and not is_brief else [],
        owners=find_owners(),
        sources=source_states(ROWS_OF_A_PAGE if is_bounded else ROWS),
        transactions=find_transactions(),
        connections=count_connections(),
    )
    return _bounded(overview) if is_bounded else overview


def _bounded(overview: Overview) -> Overview:
    read: Counter[str] = Counter()
    for group in overview.open:
        read[group.source] += group.count if group.status != Status.PROCESSING else 0
    cut = frozenset(source for source, count in read.items() if count >= OPEN_READ)
    return replace(overview, by_status=count_open_by_status(OPEN_COUNTED, bounded_count.LIMIT), cut_sources=cut)
