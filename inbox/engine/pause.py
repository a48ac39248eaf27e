"""Pause: while the service of an outbound source is unavailable, no process claims the source's jobs.

Now and then one process tries one job, the probe, by the database's clock. Any answer but "unavailable" ends the pause,
in the transaction that finishes the job. Failure modes: the process with the probe dies (its job is reclaimed,
which frees the turn), or the probe hangs (no other process tries meanwhile).
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

# The process with the turn has a job under the lease of the probe; without such a job the turn is free. A time that
# lies further ahead than any pause is due: the clock has gone back.
IS_DUE_FOR_PROBE = f"""
(pause.next_try_at <= now() OR pause.next_try_at > now() + interval '{LONGEST_PAUSE_S} seconds') AND NOT EXISTS (
    SELECT 1 FROM integration_inbox AS job WHERE job.status = 'PROCESSING' AND job.lease_id = pause.probe_lease_id)
"""
# The time moves too: a second process that waited for the row sees that, but not the job claimed meanwhile.
TAKE_TURN = f"""
UPDATE inbox_pause AS pause SET next_try_at = now() + {NEXT_TRY_DELAY % "pause.tries"}, updated_at = now()
 WHERE pause.source = %(source)s AND {IS_DUE_FOR_PROBE}
"""
# The first of the calls that fail together pauses the source; after that only the probe counts.
UPSERT_PAUSE = f"""
INSERT INTO inbox_pause AS pause (source, reason, next_try_at)
VALUES (%(source)s, %(reason)s, now() + {NEXT_TRY_DELAY % "0"})
    ON CONFLICT (source) DO UPDATE
       SET reason = excluded.reason, tries = pause.tries + 1, updated_at = now(),
           next_try_at = now() + {NEXT_TRY_DELAY % "pause.tries + 1"}
     WHERE pause.probe_lease_id = %(lease_id)s
RETURNING pause.tries
"""
# In SQL because the ORM knows epochs in whole seconds only.
SELECT_PAUSED_FOR = "SELECT extract(epoch FROM next_try_at - now())::float8 FROM inbox_pause WHERE source = %s"


def pause(source: Source, reason: str, lease_id: UUID) -> None:
    """Pause `source`, or extend the pause after a failed probe; in the transaction that finishes this lease's jobs."""
    with connection.cursor() as cursor:
        cursor.execute(UPSERT_PAUSE, {"source": source.name, "reason": storable(reason), "lease_id": lease_id})
        row = cursor.fetchone()
    if row == (0,):
        emit_on_commit(Event.PAUSED, source=source.name, reason=reason)


def resume(source: Source) -> None:
    """End the pause of `source`, if there is one, and notify workers; in the caller's transaction."""
    ended, _ = SourcePause.objects.filter(pk=source.name).delete()
    if ended:
        notify()
        emit_on_commit(Event.RESUMED, source=source.name)


def try_again_now(claimed: Claim) -> None:
    """Free the turn: its claim made no call after all."""
    SourcePause.objects.filter(pk=claimed.source.name, probe_lease_id=claimed.lease_id).update(next_try_at=Now())


def paused_for_s(source: Source) -> float | None:
    """Seconds until the next probe of `source`, 0 if it is due; None if it is not paused. One look-up by key."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_PAUSED_FOR, [source.name])
        row = cursor.fetchone()
    if row is None:
        return None
    # Further ahead than any pause: the clock has gone back, and the probe is due.
    return row[0] if 0 < row[0] <= LONGEST_PAUSE_S else 0.0


def claim_probe(source: Source, *, worker_id: str, presence_id: int | None = None) -> Claim | None:
    """Claim one job of a paused source as a probe; None if none is due, or another process has the turn."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(TAKE_TURN, {"source": source.name})
            if not cursor.rowcount:
                return None
        claimed = claim(source, worker_id=worker_id, limit=1, presence_id=presence_id)
        if claimed:
            SourcePause.objects.filter(pk=source.name).update(probe_lease_id=claimed.lease_id)
        else:
            # Without a job the turn stays free for the next one.
            transaction.set_rollback(True)
    return claimed
