"""Throughput: each worker process records now and then how much it has done, so that history costs jobs nothing.

A row per process and minute, written when the worker notes that it is alive, every 10 s. An index on finished_at would
cost an entry per job, and a count of the last hours would still read millions of them. Failure modes: a process
that is killed takes the counts of its last seconds with it; exact numbers need a count of jobs.
"""

from django.db import connection

from inbox.job_counts import JobCounts

KEEP = "interval '2 days'"

# Counts are those since the process began, so a missed row loses nothing: the next one has it all.
# Old rows are removed along the way, past those that another process is removing just now, so that nobody waits.
UPSERT_TALLY = f"""
WITH old AS (
    DELETE FROM inbox_tally AS tally USING (
        SELECT minute, worker_id FROM inbox_tally WHERE minute < now() - {KEEP}
         ORDER BY minute, worker_id LIMIT 1000 FOR UPDATE SKIP LOCKED) AS gone
     WHERE (tally.minute, tally.worker_id) = (gone.minute, gone.worker_id)
)
INSERT INTO inbox_tally AS tally (minute, worker_id, done_count, failed_count, dead_count)
VALUES (date_trunc('minute', now()), %(worker)s, %(done)s, %(failed)s, %(dead)s)
    ON CONFLICT (minute, worker_id) DO UPDATE
       SET done_count = excluded.done_count, failed_count = excluded.failed_count, dead_count = excluded.dead_count
"""


def record_throughput(worker: int, counts: JobCounts) -> None:
    """Record what the process with this inbox_worker.id has done since it began."""
    values = {"worker": worker, "done": counts.done, "failed": counts.failed, "dead": counts.dead}
    with connection.cursor() as cursor:
        cursor.execute(UPSERT_TALLY, values)
