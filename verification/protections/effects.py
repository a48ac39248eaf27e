"""The protection of effects: they commit with the status of their job, or not at all."""

from collections.abc import Callable, Sequence
from typing import Any

from django.db import transaction

from inbox.engine import work
from inbox.engine.claim import Claim
from inbox.job_counts import JobCounts
from inbox.registry import Handler
from verification.patches import patched
from verification.row import Protection


def _in_two_transactions(plain: Callable[..., Any]) -> Callable[..., Any]:
    def handle(claim: Claim, handler: Handler, inbox_ids: Sequence[int]) -> JobCounts:
        with transaction.atomic():
            jobs = work.lock_leased(claim.lease_id, inbox_ids)
            outcomes = handler(jobs) if jobs else []
        with transaction.atomic():
            work.lock_leased(claim.lease_id, inbox_ids)
            finished = work.finish(claim.lease_id, claim.worker_id, zip(jobs, outcomes, strict=True))
        return finished + JobCounts(lost=len(inbox_ids) - len(jobs))

    return handle


EFFECTS_OUTSIDE = Protection(
    "effects-outside",
    "effects and status commit in one transaction",
    lambda: patched("inbox.engine.work:_handle", _in_two_transactions),
)
