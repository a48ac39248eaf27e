"""Roll call: which worker processes are gone, and taking back what they held.

Every worker calls the roll each second, with one cheap query, and says on the way that it lives itself.
"""

from collections import Counter

from django.db import connection
from django.db.models.functions import Now

from inbox.engine.reclaim import reclaim_gone
from inbox.models import InboxWorker
from inbox.models.job import InboxJob
from inbox.statuses import Status
from inbox.worker.presence import LOCK_CLASS, LOCK_IDS
from inbox.worker.throughput import tally

# Right after a server start nobody has its lock yet, though all are alive and on their way back.
GRACE_S = 10
# Of a process without presence only the row tells, and it writes that every SEEN_EVERY_S.
SILENT_FOR_S = 60
SEEN_EVERY_S = 10

# pg_locks is read after the snapshot was taken: a claim that the snapshot shows was made under a lock that was held.
HELD = f"""
held AS MATERIALIZED (
    SELECT objid::bigint AS id FROM pg_locks
     WHERE locktype = 'advisory' AND classid = {LOCK_CLASS} AND objsubid = 2 AND granted
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
"""
GONE = f"""
SELECT id, false FROM inbox_worker
 WHERE state = 'RUNNING' AND id IS DISTINCT FROM %(me)s
   AND CASE WHEN has_presence THEN mod(id, {LOCK_IDS}) NOT IN (SELECT id FROM held)
                               AND pg_postmaster_start_time() < now() - interval '{GRACE_S} seconds'
            ELSE last_seen_at < now() - interval '{SILENT_FOR_S} seconds' END
"""
ROLL_CALL = f"""
WITH seen AS (
    UPDATE inbox_worker
       SET last_seen_at = now(), state = 'RUNNING',
           done_count = %(done)s, failed_count = %(failed)s, dead_count = %(dead)s
     WHERE id = %(me)s AND last_seen_at < now() - interval '{SEEN_EVERY_S} seconds'
 RETURNING id
), {HELD} {GONE} UNION ALL SELECT id, true FROM seen
"""
# For who only looks, and may not write.
LOOK = f"WITH {HELD} {GONE}"


def who_is_gone() -> list[int]:
    """The ids of worker processes that are gone, for who is none itself; writes nothing."""
    with connection.cursor() as cursor:
        cursor.execute(LOOK, {"me": None})
        return [worker_id for worker_id, _ in cursor.fetchall()]


def roll_call(me: int | None, counts: Counter[str]) -> list[int]:
    """The ids of worker processes that are gone. `me` is this process's own id, `counts` what it has done so far."""
    with connection.cursor() as cursor:
        cursor.execute(
            ROLL_CALL, {"me": me, "done": counts["DONE"], "failed": counts["FAILED"], "dead": counts["DEAD"]}
        )
        rows = cursor.fetchall()
    if me is not None and any(is_me for _, is_me in rows):
        tally(me, counts)
    return [worker_id for worker_id, is_me in rows if not is_me]


def take_back_from(gone: list[int], *, max_attempts: int, batch_size: int) -> Counter[str]:
    """Take back all jobs of processes that are gone, and strike those off the roll that hold none any more.

    A job that a dying backend still has locked is skipped; its process stays on the roll until the next call.
    """
    counts: Counter[str] = Counter()
    while taken := reclaim_gone(gone, max_attempts=max_attempts, limit=batch_size):
        counts += taken
    holding = InboxJob.objects.filter(status=Status.PROCESSING, presence_id__any_of=gone).values("presence_id")
    InboxWorker.objects.filter(pk__in=gone, state=InboxWorker.State.RUNNING).exclude(pk__in=holding).update(
        state=InboxWorker.State.GONE
    )
    return counts


def sign_off(worker: int, counts: Counter[str]) -> None:
    """Record that the process with this inbox_worker.id has ended by itself, and what it did."""
    tally(worker, counts)
    InboxWorker.objects.filter(pk=worker).update(
        state=InboxWorker.State.STOPPED,
        last_seen_at=Now(),
        done_count=counts["DONE"],
        failed_count=counts["FAILED"],
        dead_count=counts["DEAD"],
    )
