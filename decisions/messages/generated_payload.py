"""The handler of generated payloads: what was sent to CMS for a decision, or why it could not be made."""

from collections.abc import Sequence
from typing import Any

from decisions.case import Case, lock_cases
from decisions.codes import DecisionSubtype, PartType
from decisions.messages.apply import NewMessage, apply_messages
from decisions.messages.clinical_answer import ANSWER_OF_INDICATOR
from decisions.messages.clinical_ops_rows import Row, read
from decisions.models import DecisionMessage
from inbox.db.storable import DEEPEST, is_storable
from inbox.outcomes import CONTRADICTION, Outcome, dead, done, ignored, not_ready
from inbox.registry import LockedJob
from packets.order import BEGINNING
from packets.values import BadMessage, explanation, pick, required

NO_REASON = "the JSON Generator could not make the payload, and gave no reason"


def handle_generated_payload(jobs: Sequence[LockedJob]) -> list[Outcome]:
    """Let payloads take effect; each waits for its packet and a clinical answer."""
    messages, outcomes = read(jobs, content="payload", prefix="payload", parse=parse_payload)
    good = [job for job in jobs if job.inbox_id in messages]
    cases = lock_cases(job.decision_tracking_id for job in good)
    said: list[NewMessage] = []
    for job in good:
        case = cases.get(job.decision_tracking_id) if job.decision_tracking_id else None
        message = messages[job.inbox_id]
        if outcome := _not_yet(case, message):
            outcomes[job.inbox_id] = outcome
        elif case:
            message.packet = case.packet
            said.append(NewMessage(case, message, job_id=job.inbox_id))
    for item, reason in zip(said, apply_messages(said).reasons, strict=True):
        assert item.job_id is not None  # noqa: S101 for mypy: set just above
        outcomes[item.job_id] = ignored(reason) if reason else done()
    return [outcomes[job.inbox_id] for job in jobs]


def _not_yet(case: Case | None, message: DecisionMessage) -> Outcome | None:
    if case is None:
        return not_ready("the packet")
    if case.is_closed:
        return None
    if case.active is None or not case.is_answered:
        return not_ready("a clinical answer")
    answer, decision = message.content.get("answer"), case.active.clinical_decision
    is_later = (message.said_at or BEGINNING) >= (case.active.clinical_created_at or BEGINNING)
    if answer in (decision, None) or not is_later:
        return None
    # Dead, as nobody waits for it; but should the fitting answer come, it is the payload for that.
    return dead(f"the payload is for {answer}, but the decision is {decision}", CONTRADICTION)


def parse_payload(row: Row) -> DecisionMessage:
    """What the row says of the payload. Raises BadMessage."""
    content = _sent(row.as_object()) if row.is_sent else _failed(row)
    return DecisionMessage(
        kind=DecisionMessage.Kind.PAYLOAD,
        source="generated_payload",
        message_id=row.job.message_id,
        revision=row.job.revision,
        created_at=row.job.source_created_at,
        said_at=row.written_at,
        content=content,
    )


def _sent(payload: dict[str, Any]) -> dict[str, Any]:
    if not is_storable(payload):
        raise BadMessage(f"the payload holds a number that is too large, or is nested more than {DEEPEST} levels deep")
    part_type = pick(payload, "partType", "part_type")
    if part_type not in PartType.values:
        raise BadMessage("partType must be A or B")
    return {
        "is_sent": True,
        "answer": _answer(payload.get("procedures")),
        "payload": payload,
        "subtype": _subtype(pick(payload, "esmdTransactionId", "esmd_transaction_id")),
        "part_type": part_type,
    }


def _answer(procedures: Any) -> str:
    """The answer that all procedures carry."""
    if not required(procedures, list, "procedures"):
        raise BadMessage("procedures is empty")
    objects = [required(procedure, dict, "each procedure") for procedure in procedures]
    indicators = [pick(procedure, "decisionIndicator", "decision_indicator") for procedure in objects]
    if not all(isinstance(indicator, str) and indicator in ANSWER_OF_INDICATOR for indicator in indicators):
        raise BadMessage("decisionIndicator of each procedure must be A or N")
    if len(set(indicators)) > 1:
        raise BadMessage("the procedures have different decisionIndicators")
    return ANSWER_OF_INDICATOR[indicators[0]].value


def _subtype(transaction_id: Any) -> str:
    """Null, absent or blank: the request did not come by esMD."""
    if transaction_id is None or transaction_id == "":
        return DecisionSubtype.DIRECT_PA.value
    is_blank = not required(transaction_id, str, "esmdTransactionId").strip()
    return DecisionSubtype.DIRECT_PA.value if is_blank else DecisionSubtype.STANDARD_PA.value


def _failed(row: Row) -> dict[str, Any]:
    said = row.as_object() if isinstance(row.payload, dict) else {}
    reason = explanation(pick(said, "error", "error_message", "errorMessage", "reason", "message"))
    return {"is_sent": False, "error": reason or NO_REASON}
