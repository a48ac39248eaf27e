"""The recent past: how much was finished, how fast, and how the server does.

No query here depends on how many jobs there are: history comes from the tallies of workers, latency from the newest
jobs by key.
"""

from datetime import datetime
from typing import NamedTuple

from django.db import connection
from django.db.models import Sum
from django.db.models.functions import Coalesce

from inbox.models import InboxWorker

HOURS = 6
BUCKET_MIN = 5
BUCKET = f"interval '{BUCKET_MIN} minutes'"
# The newest jobs whose latency is measured. Read backwards by key: 10,000 take some 15 ms.
TIMED = 10_000

# Each tally has the counts since its process began, so a minute's work is the difference to the row before. The first
# row of a process has none before it; if the process began earlier, that row only says where to count from.
SELECT_HISTORY = f"""
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
SELECT_LATENCY = """
SELECT count(*), percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY took_s)
  FROM (SELECT status, extract(epoch FROM finished_at - created_at)::float8 AS took_s
          FROM integration_inbox ORDER BY inbox_id DESC LIMIT %s) AS newest
 WHERE status = 'DONE'
"""
SELECT_SERVER = """
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
    """Seconds from ingest to DONE, of the `jobs` that are DONE among the newest 10,000; None if there are none."""

    jobs: int
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None


class History(NamedTuple):
    """The recent past.

    attempts     of all registered workers since they began, by how they ended
    connections  sessions of this database, and `deadlocks` since its statistics were reset
    """

    buckets: list[Bucket]
    latency: Latency
    attempts: dict[str, int]
    connections: int
    deadlocks: int


def take_history() -> History:
    """Read all of it."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_HISTORY)
        buckets = [Bucket(*row) for row in cursor.fetchall()]
        cursor.execute(SELECT_LATENCY, [TIMED])
        count, percentiles = cursor.fetchone()
        cursor.execute(SELECT_SERVER)
        connections, deadlocks = cursor.fetchone()
    sums = {name: Coalesce(Sum(f"{name}_count"), 0) for name in ("done", "failed", "dead")}
    attempts = InboxWorker.objects.aggregate(**sums)
    return History(buckets, Latency(count, *(percentiles or [None] * 3)), attempts, connections, deadlocks)
