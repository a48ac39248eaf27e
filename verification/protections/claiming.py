"""Protections of a claim."""

from collections.abc import Callable
from typing import Any

from verification.patches import patched, without_text
from verification.row import Protection

PICK_AND_MARK = """
 WHERE inbox_id IN (
       SELECT due.inbox_id FROM integration_inbox AS due
        WHERE due.source = 'verify' AND due.status IN ('NEW', 'FAILED', 'WAITING') AND due.next_attempt_at <= now()
        ORDER BY due.next_attempt_at, due.inbox_id
        LIMIT cardinality(%(inbox_ids)s::bigint[])
          FOR UPDATE SKIP LOCKED)
"""


def _due_with(**options: bool) -> Callable[[Any], Callable[..., Any]]:
    """The query of due jobs with other options of its FOR UPDATE, as Django's Query has them."""

    def make(due: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*args: Any) -> Any:
            jobs = due(*args).all()
            for name, value in options.items():
                setattr(jobs.query, name, value)
            return jobs

        return changed

    return make


CLAIM_LOCKS = Protection(
    "claim-locks",
    "a claim locks what it picks",
    lambda: patched("inbox.engine.claim:_due", _due_with(select_for_update=False)),
)
CLAIM_SKIPS = Protection(
    "claim-skips",
    "a claim skips what others have locked",
    lambda: patched("inbox.engine.claim:_due", _due_with(select_for_update_skip_locked=False)),
)
PICKS_BEFORE_IT_MARKS = Protection(
    "picks-before-it-marks",
    "a claim picks keys in a statement of its own, which the planner can't run again and again",
    lambda: without_text("inbox.engine.claim:MARK_CLAIMED", " WHERE inbox_id = ANY(%(inbox_ids)s)\n", PICK_AND_MARK),
)
