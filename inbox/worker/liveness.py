"""Roll call: which worker processes are gone, and taking back what they held.

Every worker calls the roll each second, with one cheap query, and says on the way that it lives itself.
"""

from collections import Counter

from django.db import connection
from django.db.models.functions import Now

from inbox.engine.reclaim import reclaim_claimed_by
from inbox.models import InboxWorker
from inbox.models.job import InboxJob
from inbox.statuses import Status
from inbox.worker.presence import LOCK_CLASS, LOCK_IDS
from inbox.worker.throughput import record_throughput

# Right after a server start nobody has its lock yet, though all are alive and on their way back.
GRACE_S = 10
# Of a process without presence only the row tells, and it writes that every SEEN_EVERY_S.
SILENT_FOR_S = 60
SEEN_EVERY_S = 10

# pg_locks is read after the snapshot was taken: a claim that the snapshot shows was made under a lock that was held.
SELECT_HELD_LOCKS = f"""
held AS MATERIALIZED (
    SELECT objid::bigint AS id FROM pg_locks
     WHERE locktype = 'advisory' AND classid = {LOCK_CLASS} AND objsubid = 2 AND granted
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
"""
SELECT_GONE = f"""
SELECT id, false FROM inbox_worker
 WHERE state = 'RUNNING' AND id IS DISTINCT FROM %(me)s
   AND CASE WHEN has_presence THEN mod(id, {LOCK_IDS}) NOT IN (SELECT id FROM held)
                               AND pg_postmaster_start_time() < now() - interval '{GRACE_S} seconds'
            ELSE last_seen_at < now() - interval '{SILENT_FOR_S} seconds' END
"""
NOTE_SEEN_AND_SELECT_GONE = f"""
WITH seen AS (
    UPDATE inbox_worker
       SET last_seen_at = now(), state = 'RUNNING',
           done_count = %(done)s, failed_count = %(failed)s, dead_count = %(dead)s
     WHERE id = %(me)s AND last_seen_at < now() - interval '{SEEN_EVERY_S} seconds'
 RETURNING id
), {SELECT_HELD_LOCKS} {SELECT_GONE} UNION ALL SELECT id, true FROM seen
"""
# For who only looks, and may not write.
LIST_GONE = f"WITH {SELECT_HELD_LOCKS} {SELECT_GONE}"


def list_gone() -> list[int]:
    """The ids of worker processes that are gone, for who is none itself; writes nothing."""
    with connection.cursor() as cursor:
        cursor.execute(LIST_GONE, {"me": None})
        return [worker_id for worker_id, _ in cursor.fetchall()]


def find_gone(me: int | None, counts: Counter[str]) -> list[int]:
    """The ids of worker processes that are gone. `me` is this process's own id, `counts` what it has done so far."""
    with connection.cursor() as cursor:
        cursor.execute(
            NOTE_SEEN_AND_SELECT_GONE,
            {"me": me, "done": counts["DONE"], "failed": counts["FAILED"], "dead": counts["DEAD"]},
        )
        rows = cursor.fetchall()
    if me is not None and any(is_me for _, is_me in rows):
        record_throughput(me, counts)
    return [worker_id for worker_id, is_me in rows if not is_me]


def reclaim_from_gone(gone: list[int], *, max_attempts: int, batch_size: int) -> Counter[str]:
    """Take back all jobs of processes that are gone, and strike those off the roll that hold none any more.

    A job that a dying backend still has locked is skipped; its process stays on the roll until the next call.
    """
    counts: Counter[str] = Counter()
    while taken := reclaim_claimed_by(gone, max_attempts=max_attempts, limit=batch_size):
        counts += taken
    holding = InboxJob.objects.filter(status=Status.PROCESSING, presence_id__any_of=gone).values("presence_id")
    InboxWorker.objects.filter(pk__in=gone, state=InboxWorker.State.RUNNING).exclude(pk__in=holding).update(
        state=InboxWorker.State.GONE
    )
    return counts


def sign_off(worker: int, counts: Counter[str]) -> None:
    """Record that the process with this inbox_worker.id has ended by itself, and what it did."""
    record_throughput(worker, counts)
    InboxWorker.objects.filter(pk=worker).update(
        state=InboxWorker.State.STOPPED,
        last_seen_at=Now(),
        done_count=counts["DONE"],
        failed_count=counts["FAILED"],
        dead_count=counts["DEAD"],
    )
