"""Finish: writes the outcomes of leased jobs. Jobs leave PROCESSING only here, by a give back, a reclaim or a release.

Both statements carry the guard `lease_id = … AND status = PROCESSING`: a worker that lost its lease changes no row.
"""

import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from inbox.db.storable import storable
from inbox.engine.backoff import delay_after_attempt_s, delay_while_waiting_s
from inbox.job_counts import NO_JOBS, JobCounts
from inbox.models.job import HELD_BY_LEASE
from inbox.outcomes import DONE, KEPT, WAIT_LIMIT, Outcome, Verdict
from inbox.registry import LockedJob
from inbox.statuses import Status

# In SQL because the ORM takes 0.2 ms to build it, which counts where messages come one by one.
FINISH_DONE = f"""
UPDATE integration_inbox AS job
   SET status = 'DONE', locked_by = NULL, locked_at = NULL, waiting_since = NULL, note = NULL,
       finished_at = now(), finished_by = %(worker_id)s, updated_at = now()
 WHERE job.inbox_id = ANY(%(inbox_ids)s) AND {HELD_BY_LEASE}
"""
# In SQL because each job has its own status, texts and times; the ORM would need a query per job.
# The note says what a job has waited for so far: if that is another thing, such as a locked table, it begins anew.
FINISH_WITH_OUTCOME = f"""
UPDATE integration_inbox AS job
   SET status = ended.status,
       locked_by = NULL,
       locked_at = NULL,
       attempt_count = job.attempt_count - ended.attempts_given_back,
       next_attempt_at = CASE WHEN ended.delay_s IS NULL THEN job.next_attempt_at
                              WHEN job.note IS DISTINCT FROM ended.note
                              THEN now() + least(ended.delay_s, ended.first_delay_s) * interval '1 second'
                              ELSE now() + ended.delay_s * interval '1 second' END,
       waiting_since = CASE ended.status WHEN 'WAITING' THEN coalesce(job.waiting_since, now())
                                         WHEN 'NEW' THEN job.waiting_since END,
       note = ended.note,
       error_kind = coalesce(ended.error_kind, job.error_kind),
       last_error = coalesce(ended.error, job.last_error),
       errors = CASE WHEN ended.error IS NULL THEN job.errors
                     ELSE job.errors || (
                         jsonb_build_object('attempt', job.attempt_count, 'worker', %(worker_id)s::text, 'at', now(),
                                            'kind', ended.error_kind, 'message', ended.error)
                         || CASE WHEN ended.said IS NULL THEN '{{}}' ELSE jsonb_build_object('said', ended.said) END
                     ) END,
       finished_at = CASE WHEN ended.status IN ('DONE', 'DEAD') THEN now() END,
       finished_by = CASE WHEN ended.status IN ('DONE', 'DEAD') THEN %(worker_id)s::text END,
       updated_at = now()
  FROM jsonb_to_recordset(%(ended)s::jsonb) AS ended(
           inbox_id bigint, status text, attempts_given_back int, delay_s float8, first_delay_s float8,
           note text, error_kind text, error text, said text)
 WHERE job.inbox_id = ended.inbox_id
   AND {HELD_BY_LEASE}
RETURNING job.status
"""


def finish(lease_id: UUID, worker_id: str, ended: Iterable[tuple[LockedJob, Outcome]]) -> JobCounts:
    """Write the outcome of each job that this lease still holds; returns how they ended.

    Runs in the caller's transaction, after its effects, on rows that the caller has locked.
    """
    done = []
    with_text = []
    for job, outcome in ended:
        if outcome is DONE:
            done.append(job.inbox_id)
        elif outcome is not KEPT:
            with_text.append({"inbox_id": job.inbox_id, **_columns(job, outcome)})
    counts = NO_JOBS
    guard: dict[str, Any] = {"lease_id": lease_id, "worker_id": worker_id}
    with connection.cursor() as cursor:
        if done:
            cursor.execute(FINISH_DONE, {"inbox_ids": done, **guard})
            counts += JobCounts(done=cursor.rowcount)
        if with_text:
            cursor.execute(FINISH_WITH_OUTCOME, {"ended": json.dumps(with_text), **guard})
            counts += JobCounts.of(status for (status,) in cursor.fetchall())
    return counts


def _columns(job: LockedJob, outcome: Outcome) -> dict[str, Any]:
    """The columns that an outcome sets; keys that are absent are NULL."""
    text = None if outcome.text is None else storable(outcome.text)
    error = {"error_kind": storable(outcome.kind or "Error", 200), "error": text or "no reason given"}
    match outcome.verdict:
        case Verdict.DONE:
            return {"status": Status.DONE, "attempts_given_back": 0, "note": text}
        case Verdict.DEAD:
            said = None if outcome.said is None else storable(outcome.said)
            return {"status": Status.DEAD, "attempts_given_back": 0, "said": said, **error}
        case Verdict.RETRY if job.attempt_count >= settings.INBOX_MAX_ATTEMPTS:
            return {"status": Status.DEAD, "attempts_given_back": 0, **error}
        case Verdict.RETRY:
            delay_s = delay_after_attempt_s(job.attempt_count, settings.INBOX_BACKOFF)
            return {"status": Status.FAILED, "attempts_given_back": 0, "delay_s": delay_s, **error}
        case Verdict.NOT_READY:
            return _waiting(job, text)
        case Verdict.NOT_THERE:
            return {"status": Status.NEW, "attempts_given_back": 1}
        case Verdict.KEPT:
            raise ValueError("a job that is kept has not ended")


def _waiting(job: LockedJob, what: str | None) -> dict[str, Any]:
    if job.waited_s >= settings.INBOX_WAIT_LIMIT:
        days = settings.INBOX_WAIT_LIMIT / 86400
        error = f"waited {days:g} days for {what}"
        return {"status": Status.DEAD, "attempts_given_back": 1, "error_kind": WAIT_LIMIT, "error": error}
    delays = {
        "delay_s": delay_while_waiting_s(job.waited_s, settings.INBOX_BACKOFF),
        "first_delay_s": delay_while_waiting_s(0, settings.INBOX_BACKOFF),
    }
    return {"status": Status.WAITING, "attempts_given_back": 1, "note": what, **delays}
