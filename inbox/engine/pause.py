"""Pause: while the service of an outbound source is not there, nobody claims its jobs, in no process.

Now and then one process tries one job, by the database's clock. Whatever comes of it but "not there" ends the pause, in
the transaction that finishes the job. What can go wrong: the process that tries dies (its job is taken back, and with
it the turn is free again), or the call it tries hangs (nobody else tries meanwhile).
"""

from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now

from inbox.db.notify import notify
from inbox.db.storable import storable
from inbox.engine.claim import Claim, claim
from inbox.events import Event, emit_on_commit
from inbox.models import SourcePause
from inbox.registry import Source

LONGEST_PAUSE_S = 60
# 1, 2, 4, 8, … seconds and at most 60, up to a fifth less so that many sources don't try at the same moment.
NEXT_TRY_DELAY = f"least({LONGEST_PAUSE_S}, 2 ^ least(%s, 10)) * (0.8 + 0.2 * random()) * interval '1 second'"

# Who tries holds a job under the lease of the probe; as soon as nobody does, the turn is free.
IS_TO_BE_TRIED = """
pause.next_try_at <= now() AND NOT EXISTS (
    SELECT 1 FROM integration_inbox AS job WHERE job.status = 'PROCESSING' AND job.lease_id = pause.probe_lease_id)
"""
# The time is moved too: a second process, which waited for the row, sees that, and not the job claimed meanwhile.
TAKE_TURN = f"""
UPDATE inbox_pause AS pause SET next_try_at = now() + {NEXT_TRY_DELAY % "pause.tries"}, updated_at = now()
 WHERE pause.source = %(source)s AND {IS_TO_BE_TRIED}
"""
# Of the calls that fail together the first one pauses the source; after that only the one that tried it counts.
UPSERT_PAUSE = f"""
INSERT INTO inbox_pause AS pause (source, reason, next_try_at)
VALUES (%(source)s, %(reason)s, now() + {NEXT_TRY_DELAY % "0"})
    ON CONFLICT (source) DO UPDATE
       SET reason = excluded.reason, tries = pause.tries + 1, updated_at = now(),
           next_try_at = now() + {NEXT_TRY_DELAY % "pause.tries + 1"}
     WHERE pause.probe_lease_id = %(lease_id)s
RETURNING pause.tries
"""
# In SQL, as the ORM knows epochs in whole seconds only.
SELECT_PAUSED_FOR = "SELECT extract(epoch FROM next_try_at - now())::float8 FROM inbox_pause WHERE source = %s"


def pause(source: Source, reason: str, lease_id: UUID) -> None:
    """Pause `source`, or go on pausing after a try in vain; in the transaction that finishes the jobs of this lease."""
    with connection.cursor() as cursor:
        cursor.execute(UPSERT_PAUSE, {"source": source.name, "reason": storable(reason), "lease_id": lease_id})
        row = cursor.fetchone()
    if row == (0,):
        emit_on_commit(Event.PAUSED, source=source.name, reason=reason)


def resume(source: Source) -> None:
    """End the pause of `source`, if there is one, and wake who waits for that; in the caller's transaction."""
    ended, _ = SourcePause.objects.filter(pk=source.name).delete()
    if ended:
        notify()
        emit_on_commit(Event.RESUMED, source=source.name)


def try_again_now(claimed: Claim) -> None:
    """The claim that had the turn made no call after all: the turn is free again."""
    SourcePause.objects.filter(pk=claimed.source.name, probe_lease_id=claimed.lease_id).update(next_try_at=Now())


def paused_for_s(source: Source) -> float | None:
    """Seconds until `source` is tried again, 0 if that is due; None if it does not pause. One look-up by key."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_PAUSED_FOR, [source.name])
        row = cursor.fetchone()
    return None if row is None else max(row[0], 0.0)


def claim_probe(source: Source, *, worker_id: str, presence_id: int | None = None) -> Claim | None:
    """Claim one job of a paused source; None if it is not to be tried now, or another process has the turn."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(TAKE_TURN, {"source": source.name})
            if not cursor.rowcount:
                return None
        claimed = claim(source, worker_id=worker_id, limit=1, presence_id=presence_id)
        if claimed:
            SourcePause.objects.filter(pk=source.name).update(probe_lease_id=claimed.lease_id)
        else:
            # Nothing to try it with: the turn stays free for the first job that comes.
            transaction.set_rollback(True)
    return claimed
