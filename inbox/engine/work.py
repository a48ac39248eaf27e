"""Work: hands claimed jobs to their handler and finishes them in the same transaction.

Effects and status commit together or not at all. Failure modes: a handler raises (each job is then tried alone, so
that only the culprit fails), the database refuses (the jobs are held up and lose no attempt: db/sqlstates.py), the
server breaks a deadlock (retried under the same lease), the lease is gone (nothing is written), the connection breaks
(raised to the worker, which reclaims the jobs that its lease still holds).
"""

import random
import time
from collections.abc import Callable, Sequence
from uuid import UUID

from django.db import connection, transaction

from inbox.db.blockers import Refusal, refusal
from inbox.db.errors import is_deadlock, meaning_of
from inbox.db.sqlstates import Meaning
from inbox.db.storable import OwnText, error_text
from inbox.engine.claim import Claim
from inbox.engine.finish import finish
from inbox.engine.give_back import give_back
from inbox.engine.hold_up import FIRST_PAUSE_ALONE_S, HoldUps, hold_up
from inbox.events import Event, emit
from inbox.job_counts import NO_JOBS, JobCounts
from inbox.models.job import HELD_BY_LEASE
from inbox.outcomes import retry
from inbox.registry import Handler, LockedJob

# Each try waits for the other transaction to end, so more than a few in a row means that something else is wrong.
DEADLOCK_TRIES = 5
# For a job whose batch was refused, and for one that was claimed alone. Locks of ours are held for less.
LOCK_WAIT_ALONE_S = 1.0

# In SQL because the ORM takes 0.4 ms to build it, a tenth of what a message needs when it comes alone.
LOCK_LEASED_JOBS = f"""
SELECT {", ".join(LockedJob._fields[:-3])}, coalesce(extract(epoch FROM now() - waiting_since), 0)::float8,
       is_corrected, created_at
  FROM integration_inbox AS job
 WHERE inbox_id = ANY(%(inbox_ids)s) AND {HELD_BY_LEASE}
 ORDER BY inbox_id
   FOR UPDATE
"""


def work(
    claim: Claim, *, is_stopping: Callable[[], bool] = lambda: False, hold_ups: HoldUps | None = None
) -> JobCounts:
    """Work on a claim, message type by message type; once `is_stopping`, give back what has not begun."""
    counts = NO_JOBS
    for message_type, inbox_ids in claim.inbox_ids.items():
        if is_stopping():
            counts += JobCounts(given_back=give_back(claim.lease_id, inbox_ids))
        else:
            counts += work_on(claim, claim.source.handlers[message_type], inbox_ids, is_stopping, hold_ups)
    return counts


def work_on(
    claim: Claim,
    handler: Handler,
    inbox_ids: Sequence[int],
    is_stopping: Callable[[], bool] = lambda: False,
    hold_ups: HoldUps | None = None,
) -> JobCounts:
    """Work on those jobs of a claim, of one type, that `handler` is for; if it raises, on each job alone.

    `hold_ups` learns what the database refuses.
    """
    hold_ups = HoldUps() if hold_ups is None else hold_ups
    message_type = claim.type_of(inbox_ids[0])
    try:
        counts = _handle(claim, handler, inbox_ids, is_alone=claim.runs_alone)
    except Exception as error:
        why = _why_refused(claim, error)
        if len(inbox_ids) == 1 and why is None:
            return _fail(claim, inbox_ids[0], error)
        if len(inbox_ids) == 1 or is_deadlock(error):
            return _hold_up(claim, inbox_ids, why or refusal(error), hold_ups)
        if why is None:
            emit(Event.ROLLED_BACK, jobs=len(inbox_ids), source=claim.source.name, kind=type(error).__name__)
    else:
        if counts:
            # Jobs that were only prepared for their calls are yet to be written.
            hold_ups.end(claim.source, message_type)
        emit(Event.FINISHED, counts, source=claim.source.name, jobs=len(inbox_ids))
        return counts
    return _each_alone(claim, handler, inbox_ids, is_stopping, hold_ups, is_refused=why is not None)


def _each_alone(
    claim: Claim,
    handler: Handler,
    inbox_ids: Sequence[int],
    is_stopping: Callable[[], bool],
    hold_ups: HoldUps,
    *,
    is_refused: bool,
) -> JobCounts:
    """Each job in a transaction of its own. Two refusals in a row, the batch's included, are no job's own: it ends."""
    counts = NO_JOBS
    for position, inbox_id in enumerate(inbox_ids):
        if is_stopping():
            return counts + JobCounts(given_back=give_back(claim.lease_id, inbox_ids[position:]))
        try:
            ended = _handle(claim, handler, [inbox_id], is_alone=True)
        except Exception as error:
            why = _why_refused(claim, error)
            if why is None:
                counts += _fail(claim, inbox_id, error)
            elif is_refused:
                return counts + _hold_up(claim, inbox_ids[position:], why, hold_ups)
            else:
                held = hold_up(claim.lease_id, [inbox_id], why.text, pause_s=FIRST_PAUSE_ALONE_S, alone=[inbox_id])
                counts += JobCounts(given_back=held)
            is_refused = why is not None
        else:
            is_refused = False
            if ended:
                hold_ups.end(claim.source, claim.type_of(inbox_id))
            emit(Event.FINISHED, ended, source=claim.source.name, jobs=1)
            counts += ended
    return counts


def _why_refused(claim: Claim, error: Exception) -> Refusal | None:
    """Why the database refused, if that says nothing of the message; None if it does. Raises a lost connection."""
    meaning = meaning_of(error)
    if meaning is Meaning.CONNECTION:
        raise error
    if meaning is Meaning.MESSAGE:
        return None
    why = refusal(error)
    # A statement may take too long by itself, which shows when its job is alone; a wait for a lock is never counted.
    if meaning is Meaning.DOUBT and claim.runs_alone and not why.is_by_lock:
        return None
    return why


def _hold_up(claim: Claim, inbox_ids: Sequence[int], why: Refusal, hold_ups: HoldUps) -> JobCounts:
    """Hold up the jobs, and their type with them; the first goes alone from now on, as it may be the one refused.

    A job that is alone already stands for itself, and its type goes on: unless a table is locked, as then each of the
    jobs that are alone by now would wait for the lock, one after another.
    """
    first = inbox_ids[0]
    pause_s = FIRST_PAUSE_ALONE_S
    if why.is_by_lock or not claim.runs_alone:
        pause_s = hold_ups.begin(claim.source, claim.type_of(first), why.text)
    return JobCounts(given_back=hold_up(claim.lease_id, inbox_ids, why.text, pause_s=pause_s, alone=[first]))


def _handle(claim: Claim, handler: Handler, inbox_ids: Sequence[int], *, is_alone: bool) -> JobCounts:
    """One transaction: lock the leases, run the handler, write the outcomes. Retrying a deadlock costs no attempt."""
    attempt = 1
    while True:
        try:
            with transaction.atomic():
                if is_alone:
                    _wait_less_for_locks()
                jobs = lock_leased(claim.lease_id, inbox_ids)
                outcomes = handler(jobs) if jobs else []
                if len(outcomes) != len(jobs):
                    raise HandlerBug(f"the handler gave {len(outcomes)} outcomes for {len(jobs)} jobs")
                check_constraints_now()
                finished = finish(claim.lease_id, claim.worker_id, zip(jobs, outcomes, strict=True))
            return finished + JobCounts(lost=len(inbox_ids) - len(jobs))
        except Exception as error:
            if not is_deadlock(error):
                raise
            if attempt == DEADLOCK_TRIES:
                emit(Event.DEADLOCKED, jobs=len(inbox_ids), attempt=DEADLOCK_TRIES)
                raise
            time.sleep(random.uniform(0, 0.05) * attempt)  # noqa: S311 not a secret
            attempt += 1


def _wait_less_for_locks() -> None:
    """Of 200 jobs that are tried alone, each may meet a lock; together they must not wait for minutes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{LOCK_WAIT_ALONE_S:g}s"])


def check_constraints_now() -> None:
    """Check deferred foreign keys here, where the failing job can be found; at COMMIT it could not be."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


class HandlerBug(OwnText):
    """A handler broke its contract: one outcome per job, in the same order."""


def lock_leased(lease_id: UUID, inbox_ids: Sequence[int]) -> list[LockedJob]:
    """Lock those of `inbox_ids` that the lease still holds, in key order; nobody can reclaim them until COMMIT."""
    with connection.cursor() as cursor:
        cursor.execute(LOCK_LEASED_JOBS, {"lease_id": lease_id, "inbox_ids": list(inbox_ids)})
        return [LockedJob._make(row) for row in cursor.fetchall()]


def _fail(claim: Claim, inbox_id: int, error: Exception) -> JobCounts:
    """Record the failure of a job that was alone. Guarded by the lease, so a late report changes nothing."""
    kind, text = type(error).__name__, error_text(error)
    with transaction.atomic():
        jobs = lock_leased(claim.lease_id, [inbox_id])
        finished = finish(claim.lease_id, claim.worker_id, [(job, retry(text, kind)) for job in jobs])
    counts = finished + JobCounts(lost=1 - len(jobs))
    emit(Event.FAILED, counts, job=inbox_id, source=claim.source.name, kind=kind, error=text)
    return counts
