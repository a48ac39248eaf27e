"""The handler of clinical decisions: each is an answer of its case, and the newest one counts."""

from collections.abc import Sequence

from django.db import connection

from decisions.case import lock_cases
from decisions.codes import ClinicalDecision
from decisions.messages.apply import SAME, NewMessage, apply_messages
from decisions.messages.clinical_ops_rows import Row, read
from decisions.models import DecisionMessage
from inbox.outcomes import Outcome, done, ignored, not_ready
from inbox.registry import LockedJob
from packets.values import BadMessage

WRITER = "its source row, which somebody is writing"
ANSWER_OF_INDICATOR = {"A": ClinicalDecision.AFFIRM, "N": ClinicalDecision.NON_AFFIRM}

# Before anything else, and past those that their writer holds right now: nobody waits for that with packets locked.
LOCK_ROWS = """
SELECT message_id FROM service_ops_send_serviceops WHERE message_id = ANY(%s)
 ORDER BY message_id FOR NO KEY UPDATE SKIP LOCKED
"""
EXISTING = "SELECT message_id FROM service_ops_send_serviceops WHERE message_id = ANY(%s)"
# The trigger sees no content changed, so nothing is taken in anew.
MARK_APPLIED = "UPDATE service_ops_send_serviceops SET clinical_decision_applied_at = now() WHERE message_id = ANY(%s)"


def handle_clinical_decision(jobs: Sequence[LockedJob]) -> list[Outcome]:
    """Let clinical answers take effect; those of cases whose packet has not come wait for it."""
    held = _held_by_writers(jobs)
    free = [job for job in jobs if job.message_id not in held]
    messages, outcomes = read(free, content="clinical_ops_decision_json", prefix="decision", parse=parse_answer)
    outcomes |= {job.inbox_id: not_ready(WRITER) for job in jobs if job.message_id in held}
    good = [job for job in jobs if job.inbox_id in messages]
    cases = lock_cases(job.decision_tracking_id for job in good)
    said: list[NewMessage] = []
    for job in good:
        case = cases.get(job.decision_tracking_id) if job.decision_tracking_id else None
        if case is None:
            outcomes[job.inbox_id] = not_ready("the packet")
            continue
        message = messages[job.inbox_id]
        message.packet = case.packet
        said.append(NewMessage(case, message, job_id=job.inbox_id))
    applied: list[int] = []
    for item, reason in zip(said, apply_messages(said).reasons, strict=True):
        assert item.job_id is not None  # noqa: S101 for mypy: set just above
        outcomes[item.job_id] = ignored(reason) if reason else done()
        if reason in (None, SAME):
            applied.append(item.message.message_id)
    _mark_applied(applied)
    return [outcomes[job.inbox_id] for job in jobs]


def parse_answer(row: Row) -> DecisionMessage:
    """The answer in a clinical decision. Raises BadMessage."""
    indicator = row.as_object().get("decision_indicator")
    answer = ANSWER_OF_INDICATOR.get(indicator) if isinstance(indicator, str) else None
    if answer is None:
        raise BadMessage("decision_indicator must be A or N")
    return DecisionMessage(
        kind=DecisionMessage.Kind.CLINICAL,
        source="clinical_decision",
        message_id=row.job.message_id,
        revision=row.job.revision,
        created_at=row.job.source_created_at,
        said_at=row.written_at,
        content={"answer": answer.value},
    )


def _held_by_writers(jobs: Sequence[LockedJob]) -> set[int]:
    """Lock the rows of these jobs; returns the message ids of those that somebody else holds."""
    message_ids = [job.message_id for job in jobs]
    with connection.cursor() as cursor:
        cursor.execute(LOCK_ROWS, [message_ids])
        locked = {message_id for (message_id,) in cursor.fetchall()}
        if len(locked) == len(set(message_ids)):
            return set()
        cursor.execute(EXISTING, [message_ids])
        return {message_id for (message_id,) in cursor.fetchall()} - locked


def _mark_applied(message_ids: Sequence[int]) -> None:
    if message_ids:
        with connection.cursor() as cursor:
            cursor.execute(MARK_APPLIED, [list(message_ids)])
