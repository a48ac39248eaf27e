"""Snapshot: everything that the inbox holds at one moment, for people and for programs.

Counts are from statements one after the other, so they may differ by what happened between them.
"""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db import connection

from inbox.db import bounded_count
from inbox.db.connection_budget import Connections, count_connections
from inbox.monitoring.by_status import ByStatus, count_by_status
from inbox.monitoring.ended_jobs import NEWEST, Ended, count_ended, dead_by_reason
from inbox.monitoring.notify_queue import NotifyQueue, look_at_notify_queue
from inbox.monitoring.open_jobs import OpenJobs, count_notes, list_open_jobs
from inbox.monitoring.sources import ROWS, SourceState, list_sources
from inbox.monitoring.transactions import Transactions, find_transactions, warnings
from inbox.monitoring.workers import Workers, find_workers
from inbox.statuses import Status

# For a page: open jobs of each source that are read, some 3 ms; jobs of each open status that are counted, some 10 ms;
# rows of each source that wait to be ingested.
OPEN_READ = 5_000
OPEN_COUNTED = 50_000
PAGE_ROWS = 2_000

SELECT_MOMENT = """
SELECT date_trunc('second', statement_timestamp())::text, current_database(),
       (SELECT nullif(reltuples::bigint, -1) FROM pg_class WHERE oid = to_regclass('integration_inbox'))
"""
OPEN_STATUSES = ("NEW", "PROCESSING", "FAILED", "WAITING")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of the inbox.

    jobs           jobs by status; of those in `at_least` there may be more
    jobs_estimate  the planner's guess of all jobs, None if it has none
    waiting_for    notes of WAITING jobs, and `dead`, reasons of DEAD ones, with counts; neither in one for a page
    by_status      only in one for a page: counts to a limit, as it has no time to read all open jobs
    cut_sources    only in one for a page: sources of which `open` has only the jobs that are due first; if there are
                   any, more jobs may be due than `due` says
    """

    at: str
    database: str
    jobs_estimate: int | None
    jobs: dict[str, int]
    at_least: list[str]
    open: list[OpenJobs]
    ended: Ended
    workers: Workers
    sources: list[SourceState]
    transactions: Transactions
    connections: Connections
    notify_queue: NotifyQueue
    waiting_for: list[tuple[str, int]] = field(default_factory=list)
    dead: list[tuple[str, int]] = field(default_factory=list)
    by_status: ByStatus | None = None
    cut_sources: frozenset[str] = frozenset()

    @property
    def due(self) -> int:
        """How many jobs could be claimed right now, if there is a handler for them."""
        return sum(group.count for group in self.open if group.is_due)

    @property
    def warnings(self) -> list[tuple[str, str]]:
        """Each problem of the server in words, and the SQL to type."""
        marks = [source.warning for source in self.sources if source.warning]
        return [*marks, *warnings(self.transactions), *self.notify_queue.warnings]

    @property
    def oldest_due_s(self) -> float | None:
        """How long the oldest of them has been due."""
        return max((group.oldest_s for group in self.open if group.is_due and group.oldest_s is not None), default=None)

    def as_json(self) -> dict[str, Any]:
        """Only what JSON can say: no infinity."""
        values = {
            **{name: getattr(self, name) for name in ("at", "database", "jobs", "at_least", "jobs_estimate")},
            "due": {"count": self.due, "oldest_s": self.oldest_due_s},
            "last_finished_s": self.ended.last_finished_s,
            "open": [group.as_json() for group in self.open],
            "waiting_for": [{"what": what, "count": count} for what, count in self.waiting_for],
            "dead": [{"reason": reason, "count": count} for reason, count in self.dead],
            "workers": asdict(self.workers),
            "sources": [asdict(source) for source in self.sources],
            "transactions": {"oldest_s": self.transactions.oldest_s, **asdict(self.transactions)},
            "connections": self.connections.as_json(),
            "notify_queue": self.notify_queue.as_json(),
        }
        return json.loads(json.dumps(values), parse_constant=lambda name: None)


def take_snapshot(newest: int | None = NEWEST) -> Snapshot:
    """Look at everything; ended jobs among the `newest` only, or all of them for None. Reads all open jobs."""
    open_jobs, ended = list_open_jobs(), count_ended(newest)
    counts = dict.fromkeys(OPEN_STATUSES, 0)
    for group in open_jobs:
        counts[group.status] += group.count
    return _snapshot(
        counts,
        [],
        open=open_jobs,
        ended=ended,
        sources=list_sources(ROWS),
        waiting_for=count_notes() if counts[Status.WAITING] else [],
        dead=dead_by_reason(ended),
    )


def take_page_snapshot(newest: int) -> Snapshot:
    """Look at a bounded number of rows, for a page: of the open jobs of each source, those due first."""
    open_jobs, by_status = list_open_jobs(OPEN_READ), count_by_status(OPEN_COUNTED, bounded_count.LIMIT)
    read: Counter[str] = Counter()
    for group in open_jobs:
        read[group.source] += group.count if group.status != Status.PROCESSING else 0
    return _snapshot(
        {status: by_status.counts[status] for status in OPEN_STATUSES},
        [status for status in by_status.at_least if status in OPEN_STATUSES],
        open=open_jobs,
        ended=count_ended(newest),
        sources=list_sources(PAGE_ROWS),
        by_status=by_status,
        cut_sources=frozenset(source for source, count in read.items() if count >= OPEN_READ),
    )


def _snapshot(counts: dict[str, int], at_least: list[str], *, ended: Ended, **parts: Any) -> Snapshot:
    """Add what is the same for pages and others to the `counts` of open jobs and the other parts."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_MOMENT)
        at, database, estimate = cursor.fetchone()
    return Snapshot(
        at=at,
        database=database,
        jobs_estimate=estimate,
        jobs=counts | ended.counts,
        at_least=[*at_least, *(ended.counts if ended.is_partial else ())],
        ended=ended,
        workers=find_workers(),
        transactions=find_transactions(),
        connections=count_connections(),
        notify_queue=look_at_notify_queue(),
        **parts,
    )
