"""Work: hands claimed jobs to their handler and finishes them in the same transaction.

Effects and status commit together or not at all. Failure modes: a handler raises (each job is then tried alone, so
that only the culprit fails), the server breaks a deadlock (retried under the same lease), the lease is gone (nothing is
written), the connection breaks (raised to the worker, which reclaims the jobs that its lease still holds).
"""

import random
import time
from collections.abc import Callable, Sequence
from uuid import UUID

from django.db import connection, transaction

from inbox.db.errors import is_connection_lost, is_deadlock
from inbox.db.storable import OwnText, error_text
from inbox.engine.claim import Claim
from inbox.engine.finish import finish
from inbox.engine.give_back import give_back
from inbox.events import Event, emit
from inbox.job_counts import NO_JOBS, JobCounts
from inbox.models.job import HELD_BY_LEASE
from inbox.outcomes import retry
from inbox.registry import Handler, LockedJob

# Each try waits for the other transaction to end, so more than a few in a row means that something else is wrong.
DEADLOCK_TRIES = 5

# In SQL because the ORM takes 0.4 ms to build it, a tenth of what a message needs when it comes alone.
LOCK_LEASED_JOBS = f"""
SELECT {", ".join(LockedJob._fields[:-2])}, coalesce(extract(epoch FROM now() - waiting_since), 0)::float8,
       is_corrected
  FROM integration_inbox AS job
 WHERE inbox_id = ANY(%(inbox_ids)s) AND {HELD_BY_LEASE}
 ORDER BY inbox_id
   FOR UPDATE
"""


def work(claim: Claim, *, is_stopping: Callable[[], bool] = lambda: False) -> JobCounts:
    """Work on a claim, message type by message type; once `is_stopping`, give back what has not begun."""
    counts = NO_JOBS
    for message_type, inbox_ids in claim.inbox_ids.items():
        if is_stopping():
            counts += JobCounts(given_back=give_back(claim.lease_id, inbox_ids))
        else:
            counts += work_on(claim, claim.source.handlers[message_type], inbox_ids, is_stopping)
    return counts


def work_on(
    claim: Claim, handler: Handler, inbox_ids: Sequence[int], is_stopping: Callable[[], bool] = lambda: False
) -> JobCounts:
    """Work on those jobs of a claim that `handler` is for; if it raises, on each job alone."""
    try:
        counts = _handle(claim, handler, inbox_ids)
    except Exception as error:
        if is_connection_lost(error):
            raise
        if is_deadlock(error):
            emit(Event.DEADLOCKED, jobs=len(inbox_ids), attempt=DEADLOCK_TRIES)
            return JobCounts(given_back=give_back(claim.lease_id, inbox_ids))
        if len(inbox_ids) == 1:
            return _fail(claim, inbox_ids[0], error)
        emit(Event.ROLLED_BACK, jobs=len(inbox_ids), source=claim.source.name, kind=type(error).__name__)
    else:
        emit(Event.FINISHED, counts, source=claim.source.name, jobs=len(inbox_ids))
        return counts
    counts = NO_JOBS
    for position, inbox_id in enumerate(inbox_ids):
        if is_stopping():
            return counts + JobCounts(given_back=give_back(claim.lease_id, inbox_ids[position:]))
        counts += work_on(claim, handler, [inbox_id], is_stopping)
    return counts


def _handle(claim: Claim, handler: Handler, inbox_ids: Sequence[int]) -> JobCounts:
    """One transaction: lock the leases, run the handler, write the outcomes. Retrying a deadlock costs no attempt."""
    attempt = 1
    while True:
        try:
            with transaction.atomic():
                jobs = lock_leased(claim.lease_id, inbox_ids)
                outcomes = handler(jobs) if jobs else []
                if len(outcomes) != len(jobs):
                    raise HandlerBug(f"the handler gave {len(outcomes)} outcomes for {len(jobs)} jobs")
                check_constraints_now()
                finished = finish(claim.lease_id, claim.worker_id, zip(jobs, outcomes, strict=True))
            return finished + JobCounts(lost=len(inbox_ids) - len(jobs))
        except Exception as error:
            if not is_deadlock(error) or attempt == DEADLOCK_TRIES:
                raise
            time.sleep(random.uniform(0, 0.05) * attempt)  # noqa: S311 not a secret
            attempt += 1


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
