"""What has happened lately: how much was finished, how fast, what failed, and how the server does.

No query here depends on how many jobs there are: history comes from the tallies of workers, the rest from the newest
jobs by key.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.conf import settings
from django.db import connection
from django.db.models import Sum
from django.db.models.functions import Coalesce

from inbox.models import InboxWorker
from inbox.monitoring.open_jobs import dead_by_kind

HOURS = 6
BUCKET_MIN = 5
BUCKET = f"interval '{BUCKET_MIN} minutes'"
# The newest jobs whose way is timed. Read backwards by key: 10,000 take some 15 ms.
TIMED = 10_000

# Each row has the counts since its process began, so what a minute brought is the difference to the row before. The
# first row of a process has none before it; that of one which began earlier only tells where to count from.
HISTORY = f"""
WITH bucket AS (
    SELECT generate_series(
               date_bin({BUCKET}, now(), 'epoch') - interval '{HOURS} hours' + {BUCKET},
               date_bin({BUCKET}, now(), 'epoch'), {BUCKET}) AS at
), row AS (
    SELECT tally.*, row_number() OVER mine AS number,
           lag(done_count, 1, 0::bigint) OVER mine AS done_before,
           lag(failed_count, 1, 0::bigint) OVER mine AS failed_before,
           lag(dead_count, 1, 0::bigint) OVER mine AS dead_before
      FROM inbox_tally AS tally
     WHERE minute >= (SELECT min(at) FROM bucket) - interval '10 minutes'
    WINDOW mine AS (PARTITION BY worker_id ORDER BY minute)
), came AS (
    SELECT date_bin({BUCKET}, minute, 'epoch') AS at, sum(row.done_count - done_before)::bigint AS done,
           sum(row.failed_count - failed_before)::bigint AS failed, sum(row.dead_count - dead_before)::bigint AS dead
      FROM row JOIN inbox_worker AS worker ON worker.id = row.worker_id
     WHERE number > 1 OR worker.started_at >= minute - interval '1 minute'
     GROUP BY 1
)
SELECT at, coalesce(done, 0), coalesce(failed, 0), coalesce(dead, 0) FROM bucket LEFT JOIN came USING (at) ORDER BY at
"""
LATENCY = """
SELECT count(*), percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY took_s)
  FROM (SELECT status, extract(epoch FROM finished_at - created_at)::float8 AS took_s
          FROM integration_inbox ORDER BY inbox_id DESC LIMIT %s) AS newest
 WHERE status = 'DONE'
"""
SERVER = """
SELECT (SELECT count(*) FROM pg_stat_activity
         WHERE backend_type = 'client backend' AND datname = current_database()),
       (SELECT coalesce(max(deadlocks), 0) FROM pg_stat_database WHERE datname = current_database())
"""


class Bucket(NamedTuple):
    """Attempts that ended within 5 minutes from `at` on, by how they ended."""

    at: datetime
    done: int
    failed: int
    dead: int


class Latency(NamedTuple):
    """Seconds from taken in until DONE, of the `jobs` that are DONE among the newest 10,000; None if none is."""

    jobs: int
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None


class Server(NamedTuple):
    """Sessions of this database, of how many (DB_CONNECTION_BUDGET); deadlocks since its statistics were reset."""

    connections: int
    budget: int
    deadlocks: int


class Totals(NamedTuple):
    """Attempts of all workers on the roll, by how they ended."""

    done: int
    failed: int
    dead: int


@dataclass(frozen=True, slots=True)
class History:
    """What has happened lately. `dead_by_kind` counts the kinds of error among the newest jobs."""

    history: list[Bucket]
    latency: Latency
    server: Server
    totals: Totals
    dead_by_kind: dict[str, int]


def take_history(since: int | None = None, *, with_kinds: bool = True) -> History:
    """Look at all of it. `since` is the key from which on DEAD jobs are counted by kind, if that is wanted."""
    with connection.cursor() as cursor:
        cursor.execute(HISTORY)
        history = [Bucket(*row) for row in cursor.fetchall()]
        cursor.execute(LATENCY, [TIMED])
        count, percentiles = cursor.fetchone()
        cursor.execute(SERVER)
        connections, deadlocks = cursor.fetchone()
    return History(
        history=history,
        latency=Latency(count, *(percentiles or [None] * 3)),
        server=Server(connections, settings.DB_CONNECTION_BUDGET, deadlocks),
        totals=_totals(),
        dead_by_kind=dead_by_kind(since) if with_kinds else {},
    )


def _totals() -> Totals:
    sums = InboxWorker.objects.aggregate(
        done=Coalesce(Sum("done_count"), 0),
        failed=Coalesce(Sum("failed_count"), 0),
        dead=Coalesce(Sum("dead_count"), 0),
    )
    return Totals(**sums)
