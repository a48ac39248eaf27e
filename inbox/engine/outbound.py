"""Outbound work: what happens inside transactions before and after a call. The calls themselves are in calls.py.

Both halves are ordinary work (work.py): the lease is locked, a batch that raises is rolled back and tried one by one,
and nothing is written under a lost lease. Between them no transaction is open, so a call may happen and its answer be
lost. Then it happens again, and the service has to recognise it by its key.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import transaction

from inbox.db.storable import error_text
from inbox.engine.claim import Claim
from inbox.engine.hold_up import HoldUps
from inbox.engine.pause import pause, resume
from inbox.engine.work import HandlerBug, work_on
from inbox.job_counts import JobCounts
from inbox.outcomes import KEPT, Outcome, Verdict, retry
from inbox.registry import LockedJob, Outbound


@dataclass(eq=False, slots=True)
class Call:
    """The call for one job. `answer` is what it gave, or `error` what it raised, which only a bug does."""

    claim: Claim
    message_type: str
    inbox_id: int
    request: Any
    answer: Any = None
    error: BaseException | None = None
    writes: int = 0

    @property
    def outbound(self) -> Outbound:
        return self.claim.source.outbound[self.message_type]


def prepare(claim: Claim, hold_ups: HoldUps | None = None) -> list[Call]:
    """Prepare all jobs of a claim; returns the calls to make for those that have not ended by that."""
    calls: list[Call] = []
    for message_type, inbox_ids in claim.inbox_ids.items():
        work_on(claim, partial(_prepare, claim, message_type, calls), inbox_ids, hold_ups=hold_ups)
    return calls


def _prepare(claim: Claim, message_type: str, calls: list[Call], jobs: Sequence[LockedJob]) -> list[Outcome]:
    prepared = claim.source.outbound[message_type].prepare(jobs)
    if len(prepared) != len(jobs):
        raise HandlerBug(f"{len(prepared)} jobs were prepared of {len(jobs)}")
    asked = [
        Call(claim, message_type, job.inbox_id, request)
        for job, request in zip(jobs, prepared, strict=True)
        if not isinstance(request, Outcome)
    ]
    # After a rollback there is nothing to call for.
    transaction.on_commit(lambda: calls.extend(asked))
    outcomes = [item if isinstance(item, Outcome) else KEPT for item in prepared]
    _pause_if_unavailable(claim, outcomes)
    return outcomes


def write_answers(claim: Claim, message_type: str, calls: Sequence[Call], hold_ups: HoldUps | None = None) -> JobCounts:
    """Finish the jobs of calls of one claim and type that have ended. A job that is held up makes its call again."""
    by_id = {call.inbox_id: call for call in calls}
    return work_on(claim, partial(_finish, claim, message_type, by_id), sorted(by_id), hold_ups=hold_ups)


def _finish(claim: Claim, message_type: str, calls: dict[int, Call], jobs: Sequence[LockedJob]) -> list[Outcome]:
    answered = [job for job in jobs if calls[job.inbox_id].error is None]
    outcomes = {
        job.inbox_id: retry(error_text(error), type(error).__name__)
        for job in jobs
        if (error := calls[job.inbox_id].error) is not None
    }
    if answered:
        found = claim.source.outbound[message_type].finish(answered, [calls[job.inbox_id].answer for job in answered])
        if len(found) != len(answered):
            raise HandlerBug(f"{len(found)} outcomes for {len(answered)} answers")
        outcomes |= {job.inbox_id: outcome for job, outcome in zip(answered, found, strict=True)}
        if not _pause_if_unavailable(claim, found):
            resume(claim.source)
    return [outcomes[job.inbox_id] for job in jobs]


def _pause_if_unavailable(claim: Claim, outcomes: Sequence[Outcome]) -> bool:
    reasons = [outcome.text or "no reason given" for outcome in outcomes if outcome.verdict is Verdict.NOT_THERE]
    if reasons:
        pause(claim.source, reasons[0], claim.lease_id)
    return bool(reasons)
