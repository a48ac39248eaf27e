"""The handlers of UTN answers: each waits for its packet and a clinical answer, and then counts for the decision."""

from collections.abc import Callable, Sequence
from typing import Any

from decisions.case import Case, lock_cases
from decisions.messages.apply import NewMessage, apply_messages
from decisions.messages.utn_parse import parse_utn_fail, parse_utn_success
from decisions.models import DecisionMessage
from inbox.outcomes import Outcome, done, ignored, not_ready
from inbox.registry import LockedJob
from packets.messages import Message, read_each


def handle_utn_success(jobs: Sequence[LockedJob]) -> list[Outcome]:
    """Let UTNs take effect: stored and acknowledged, and one letter requested per round."""
    return _handle(jobs, parse_utn_success)


def handle_utn_fail(jobs: Sequence[LockedJob]) -> list[Outcome]:
    """Let failures take effect: the packet is validated again, with what went wrong and what to do."""
    return _handle(jobs, parse_utn_fail)


def _handle(jobs: Sequence[LockedJob], parse: Callable[[Message], dict[str, Any]]) -> list[Outcome]:
    contents, outcomes = read_each(jobs, parse)
    good = [job for job in jobs if job.inbox_id in contents]
    cases = lock_cases(job.decision_tracking_id for job in good)
    said = []
    for job in good:
        case = cases.get(job.decision_tracking_id) if job.decision_tracking_id else None
        if what := _what_is_missing(case):
            outcomes[job.inbox_id] = not_ready(what)
        elif case:
            said.append(NewMessage(case, _message(case, job, contents[job.inbox_id]), job_id=job.inbox_id))
    for item, reason in zip(said, apply_messages(said).reasons, strict=True):
        assert item.job_id is not None  # noqa: S101 for mypy: set just above
        outcomes[item.job_id] = ignored(reason) if reason else done()
    return [outcomes[job.inbox_id] for job in jobs]


def _what_is_missing(case: Case | None) -> str | None:
    if case is None:
        return "the packet"
    return None if case.is_answered or case.is_closed else "a clinical answer"


def _message(case: Case, job: LockedJob, content: dict[str, Any]) -> DecisionMessage:
    return DecisionMessage(
        packet=case.packet,
        kind=DecisionMessage.Kind.UTN,
        source="integration",
        message_id=job.message_id,
        revision=job.revision,
        created_at=job.source_created_at,
        said_at=job.source_created_at,
        content=content,
    )
