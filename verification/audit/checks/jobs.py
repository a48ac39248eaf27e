"""Jobs whose columns contradict each other, that nobody works on, or that left DEAD without a trace."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from inbox.operations.verbs import MARKED_DEAD_KIND
from inbox.outcomes import WOKEN_KINDS
from inbox.worker.liveness import list_gone
from verification.audit.check import JOBS, Check

IN_RANGE = "job.inbox_id > %(low)s AND job.inbox_id <= %(high)s AND job.created_at >= %(since)s::timestamptz"

SELECT_CONTRADICTIONS = f"""
SELECT job.inbox_id, 'job ' || job.inbox_id || ': ' || job.status || ' ' || wrong.what
  FROM integration_inbox AS job
 CROSS JOIN LATERAL (SELECT concat_ws(' and ',
           CASE WHEN status IN ('DONE', 'DEAD') AND finished_at IS NULL THEN 'without finished_at'
                WHEN status NOT IN ('DONE', 'DEAD') AND finished_at IS NOT NULL THEN 'with finished_at' END,
           CASE WHEN status = 'PROCESSING' AND (locked_at IS NULL OR locked_by IS NULL OR lease_id IS NULL)
                THEN 'without a claim'
                WHEN status <> 'PROCESSING' AND (locked_at IS NOT NULL OR locked_by IS NOT NULL) THEN 'with a claim'
           END,
           CASE WHEN status = 'WAITING' AND waiting_since IS NULL THEN 'without waiting_since'
                WHEN status = 'DONE' AND waiting_since IS NOT NULL THEN 'with waiting_since' END,
           CASE WHEN status NOT IN ('NEW', 'DEAD') AND started_at IS NULL THEN 'without started_at' END) AS what
       ) AS wrong
 WHERE {IN_RANGE} AND wrong.what <> ''
"""

# As inbox/engine/reclaim.py finds them.
SELECT_CLAIMS_OF_NOBODY = """
SELECT inbox_id, 'job ' || inbox_id || ', claimed by ' || locked_by
  FROM integration_inbox AS job
 WHERE status = 'PROCESSING'
   AND (presence_id = ANY(%(gone)s)
        OR presence_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM inbox_worker AS worker WHERE worker.id = presence_id)
        OR locked_at < now() - %(stale_after_s)s * interval '1 second'
        OR locked_at > now() + %(stale_after_s)s * interval '1 second')
"""

# How often a job left DEAD, FAILED or WAITING by somebody's hand, at least. The number of the attempt only rises while
# it is retried, so each entry of its errors that does not go on from the one before follows a fresh start. And these
# kinds of errors end a job at once.
DEADLY = ("BadMessage", *WOKEN_KINDS)
SELECT_UNRECORDED_MOVES = f"""
SELECT job.inbox_id, 'job ' || job.inbox_id || ', now ' || job.status
  FROM integration_inbox AS job
 CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE attempt <= attempt_before) AS restarts,
           count(*) FILTER (WHERE kind IN {DEADLY}) - (job.status = 'DEAD')::int AS revivals,
           max(attempt) FILTER (WHERE is_last) AS last_attempt
      FROM (SELECT attempt, kind, lag(attempt) OVER by_number AS attempt_before,
                   lead(number) OVER by_number IS NULL AS is_last
              FROM jsonb_array_elements(CASE jsonb_typeof(job.errors) WHEN 'array' THEN job.errors END)
                   WITH ORDINALITY AS error(entry, number)
             CROSS JOIN LATERAL (SELECT entry ->> 'kind' AS kind,
                                        CASE WHEN entry ->> 'attempt' ~ '^[0-9]{{1,9}}$'
                                             THEN (entry ->> 'attempt')::int END AS attempt) AS read
            WINDOW by_number AS (ORDER BY number)) AS error
 ) AS told
 WHERE {IN_RANGE} AND job.error_kind IS NOT NULL
   AND (SELECT count(*) FROM inbox_audit AS audit
         WHERE audit.object = 'job:' || job.inbox_id AND audit.after ->> 'status' = 'NEW'
           AND audit.before ->> 'status' IN ('DEAD', 'FAILED', 'WAITING'))
       < greatest(told.revivals,
                  told.restarts + (job.status <> 'DEAD' AND job.attempt_count
                                   < told.last_attempt + (job.status IN ('PROCESSING', 'DONE'))::int)::int,
                  (job.error_kind = '{MARKED_DEAD_KIND}' AND job.status <> 'DEAD')::int)
"""


def _nobody() -> Mapping[str, Any]:
    return {"gone": list_gone(), "stale_after_s": settings.INBOX_STALE_AFTER}


CHECKS = [
    Check(
        "statuses that contradict their times",
        "Some program other than ServiceOps wrote these rows, or a constraint is missing: verify_locks names it. Find "
        "out who wrote them before mending a row by hand.",
        SELECT_CONTRADICTIONS,
        JOBS,
    ),
    Check(
        "jobs claimed by nobody alive",
        "Nothing is lost: manage.py reclaim_stuck_jobs returns them. Workers do that by themselves, so start some.",
        SELECT_CLAIMS_OF_NOBODY,
        asks=_nobody,
    ),
    Check(
        "jobs that left DEAD without an audit entry",
        "Somebody moved them by SQL, or the audit was changed. See that the triggers inbox_guard_moves and "
        "inbox_audit_append_only are enabled (verify_locks), and ask the people who may write to these tables.",
        SELECT_UNRECORDED_MOVES,
        JOBS,
    ),
]
