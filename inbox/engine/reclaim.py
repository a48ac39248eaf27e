"""Reclaim: returns jobs whose worker is gone or whose claim is too old, and finds the job that kills its workers.

A job that shared its claim gets its attempt back and runs alone from now on. A job that was alone already keeps the
attempt and gets an error WorkerLost. So a job that kills its worker is DEAD after the last attempt, and its neighbours
lose nothing. If the server itself has started since, no job is blamed. SKIP LOCKED passes rows whose handler is at
work, and those of another reclaimer.
"""

from collections.abc import Sequence
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from inbox.engine.backoff import delay_after_attempt_s
from inbox.events import Event, emit
from inbox.job_counts import NO_JOBS, JobCounts
from inbox.models import InboxJob

# One statement per batch: a reclaimer that dies leaves nothing half done. Key order, so that two never deadlock.
RECLAIM_JOBS = """
UPDATE integration_inbox AS job
   SET status = CASE WHEN NOT taken.is_blamed THEN 'NEW'
                     WHEN job.attempt_count >= %(max_attempts)s THEN 'DEAD'
                     ELSE 'FAILED' END,
       attempt_count = greatest(job.attempt_count - (NOT taken.is_blamed)::int, 0),
       next_attempt_at = CASE WHEN taken.is_blamed
                              THEN now() + (%(delays_s)s::float8[])[least(greatest(job.attempt_count, 1), %(steps)s)]
                                           * interval '1 second'
                              ELSE job.next_attempt_at END,
       error_kind = CASE WHEN taken.is_blamed THEN 'WorkerLost' ELSE job.error_kind END,
       last_error = CASE WHEN taken.is_blamed THEN %(message)s ELSE job.last_error END,
       errors = CASE WHEN taken.is_blamed
                     THEN job.errors || jsonb_build_object(
                              'attempt', job.attempt_count, 'worker', job.locked_by, 'at', now(),
                              'kind', 'WorkerLost', 'message', %(message)s::text)
                     ELSE job.errors END,
       finished_at = CASE WHEN taken.is_blamed AND job.attempt_count >= %(max_attempts)s THEN now() END,
       runs_alone = true,
       locked_by = NULL,
       locked_at = NULL,
       updated_at = now()
  FROM (SELECT inbox_id,
               -- A start that is still to come, by a clock that has gone back, tells nothing of the claim.
               runs_alone AND (locked_at >= pg_postmaster_start_time() OR pg_postmaster_start_time() > now())
               AS is_blamed
          FROM integration_inbox WHERE inbox_id = ANY(%(inbox_ids)s)) AS taken
 WHERE job.inbox_id = taken.inbox_id
RETURNING job.status
"""
WORKER_LOST = "the worker stopped while it worked on this job alone"
CONNECTION_LOST = "the connection to the database broke while a worker was at this job alone"


def reclaim_stale(*, stale_after_s: float, max_attempts: int, limit: int) -> JobCounts:
    """Reclaim at most `limit` jobs whose claim is older than `stale_after_s` seconds, by the database's clock."""
    with transaction.atomic():
        inbox_ids = InboxJob.objects.stale(stale_after_s).lock_keys(limit)
        return _reclaim_locked(inbox_ids, max_attempts, WORKER_LOST)


def reclaim_claimed_by(presence_ids: Sequence[int], *, max_attempts: int, limit: int) -> JobCounts:
    """Reclaim at most `limit` jobs that the worker processes with these inbox_worker ids have claimed."""
    with transaction.atomic():
        inbox_ids = InboxJob.objects.claimed_by(presence_ids).lock_keys(limit)
        return _reclaim_locked(inbox_ids, max_attempts, WORKER_LOST)


def reclaim_own(lease_id: UUID, inbox_ids: Sequence[int]) -> JobCounts:
    """After a lost connection: reclaim those of `inbox_ids` that this lease still holds, by the same rule.

    The message may be what breaks the connection. If it is, it is found; its neighbours lose nothing.
    """
    with transaction.atomic():
        held = InboxJob.objects.held(lease_id, inbox_ids).lock_keys()
        counts = _reclaim_locked(held, settings.INBOX_MAX_ATTEMPTS, CONNECTION_LOST)
    if counts:
        emit(Event.RECLAIMED_OWN, counts)
    return counts


def _reclaim_locked(inbox_ids: list[int], max_attempts: int, message: str) -> JobCounts:
    if not inbox_ids:
        return NO_JOBS
    steps_s = settings.INBOX_BACKOFF
    with connection.cursor() as cursor:
        cursor.execute(
            RECLAIM_JOBS,
            {
                "inbox_ids": inbox_ids,
                "max_attempts": max_attempts,
                "delays_s": [delay_after_attempt_s(number, steps_s) for number in range(1, len(steps_s) + 1)],
                "steps": len(steps_s),
                "message": message,
            },
        )
        return JobCounts.of(status for (status,) in cursor.fetchall())


def reclaim_all_stale(*, stale_after_s: float, max_attempts: int, batch_size: int) -> JobCounts:
    """Reclaim in batches, each in its own transaction, until no stale job is left that nobody has locked."""
    counts = NO_JOBS
    while reclaimed := reclaim_stale(stale_after_s=stale_after_s, max_attempts=max_attempts, limit=batch_size):
        counts += reclaimed
    if counts:
        emit(Event.RECLAIMED, counts, reason="the claim is too old")
    return counts


def count_stale(stale_after_s: float) -> int:
    """How many claims are stale; changes nothing."""
    return InboxJob.objects.stale(stale_after_s).count()
