"""Liveness: which worker processes are gone, and the reclaim of their jobs.

Every worker asks that each second, with one cheap query, and notes on the way that it is alive itself.
"""

from collections.abc import Callable

from django.db import connection
from django.db.models.functions import Now

from inbox.engine.reclaim import reclaim_claimed_by
from inbox.events import Event, emit
from inbox.job_counts import NO_JOBS, JobCounts
from inbox.models import InboxWorker
from inbox.models.job import InboxJob
from inbox.statuses import Status
from inbox.worker.presence import INSTALLATION_CLASS, LOCK_CLASS, LOCK_IDS
from inbox.worker.throughput import record_throughput

# Right after a server start nobody has its lock yet, though all are alive and on their way back. Times that are still
# to come are those of a clock that has gone back: they hold up nothing.
GRACE_S = 10
# A process without presence shows only by its row that it is alive; it writes that every SEEN_EVERY_S.
SILENT_FOR_S = 60
SEEN_EVERY_S = 10

# pg_locks is read after the snapshot was taken: a claim that the snapshot shows was made under a lock that was held. It
# is read once, so that both locks of a session are seen together. A session without the lock of an installation is a
# worker of an earlier version.
SELECT_HELD_LOCKS = f"""
locks AS MATERIALIZED (
    SELECT classid, objid, pid FROM pg_locks
     WHERE locktype = 'advisory' AND classid IN ({LOCK_CLASS}, {INSTALLATION_CLASS}) AND objsubid = 2 AND granted
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
), held AS MATERIALIZED (
    SELECT objid::bigint AS id FROM locks
     WHERE classid = {LOCK_CLASS}
       AND NOT EXISTS (SELECT 1 FROM locks AS other
                        WHERE other.pid = locks.pid AND other.classid = {INSTALLATION_CLASS}
                          AND other.objid <> 'inbox_worker'::regclass)
)
"""
SELECT_GONE = f"""
SELECT id, false FROM inbox_worker
 WHERE state = 'RUNNING' AND id IS DISTINCT FROM %(own_id)s
   AND CASE WHEN has_presence THEN mod(id, {LOCK_IDS}) NOT IN (SELECT id FROM held)
                               AND pg_postmaster_start_time()
                                   NOT BETWEEN now() - interval '{GRACE_S} seconds' AND now()
            ELSE last_seen_at NOT BETWEEN now() - interval '{SILENT_FOR_S} seconds'
                                      AND now() + interval '{SILENT_FOR_S} seconds' END
"""
NOTE_SEEN_AND_SELECT_GONE = f"""
WITH seen AS (
    UPDATE inbox_worker
       SET last_seen_at = now(), state = 'RUNNING',
           done_count = %(done)s, failed_count = %(failed)s, dead_count = %(dead)s
     WHERE id = %(own_id)s AND last_seen_at NOT BETWEEN now() - interval '{SEEN_EVERY_S} seconds' AND now()
 RETURNING id
), {SELECT_HELD_LOCKS} {SELECT_GONE} UNION ALL SELECT id, true FROM seen
UNION ALL SELECT (1000000 * extract(epoch FROM now()))::bigint, NULL
"""
# For readers without write access.
LIST_GONE = f"WITH {SELECT_HELD_LOCKS} {SELECT_GONE}"


def list_gone() -> list[int]:
    """The ids of worker processes that are gone, for callers that are not workers; writes nothing."""
    with connection.cursor() as cursor:
        cursor.execute(LIST_GONE, {"own_id": None})
        return [worker_id for worker_id, _ in cursor.fetchall()]


def find_gone(
    own_id: int | None, counts: JobCounts, *, tell_time: Callable[[float], None] = lambda s: None
) -> list[int]:
    """The ids of other worker processes that are gone.

    Notes every SEEN_EVERY_S seconds that the process `own_id` is alive, with the `counts` of what it did so far. Calls
    `tell_time` with the database's time, in seconds.
    """
    values = {"own_id": own_id, "done": counts.done, "failed": counts.failed, "dead": counts.dead}
    with connection.cursor() as cursor:
        cursor.execute(NOTE_SEEN_AND_SELECT_GONE, values)
        rows = cursor.fetchall()
    tell_time(next(microseconds / 1e6 for microseconds, is_own in rows if is_own is None))
    if own_id is not None and any(is_own for _, is_own in rows):
        record_throughput(own_id, counts)
    return [worker_id for worker_id, is_own in rows if is_own is False]


def reclaim_from_gone(gone: list[int], *, max_attempts: int, batch_size: int) -> JobCounts:
    """Reclaim all jobs of processes that are gone, and mark those GONE that hold none any more.

    A job that a dying backend still has locked is skipped; its process stays RUNNING until the next pass.
    """
    counts = NO_JOBS
    while reclaimed := reclaim_claimed_by(gone, max_attempts=max_attempts, limit=batch_size):
        counts += reclaimed
    if counts:
        emit(Event.RECLAIMED, counts, reason="the worker is gone", workers=len(gone))
    holding = InboxJob.objects.filter(status=Status.PROCESSING, presence_id__any_of=gone).values("presence_id")
    InboxWorker.objects.filter(pk__in=gone, state=InboxWorker.State.RUNNING).exclude(pk__in=holding).update(
        state=InboxWorker.State.GONE
    )
    return counts


def sign_off(worker: int, counts: JobCounts) -> None:
    """Record that the process with this inbox_worker.id has ended normally, and what it did."""
    record_throughput(worker, counts)
    InboxWorker.objects.filter(pk=worker).update(
        state=InboxWorker.State.STOPPED,
        last_seen_at=Now(),
        done_count=counts.done,
        failed_count=counts.failed,
        dead_count=counts.dead,
    )
