"""Handles generated payloads: what was sent to CMS for a decision, or why it could not be made."""

from typing import Any

from decisions.case import Case
from decisions.codes import DecisionSubtype, PartType
from decisions.messages.clinical_answer import ANSWER_OF_INDICATOR
from decisions.messages.clinical_ops import ClinicalOpsHandler
from decisions.models import DecisionMessage
from decisions.models.message import payload_digest
from inbox.api import CONTRADICTION, Outcome, dead
from inbox.db.storable import DEEPEST, is_storable
from packets.messages import Message
from packets.order import BEGINNING
from packets.values import BadMessage, explanation, pick, required

NO_REASON = "the JSON Generator could not make the payload, and gave no reason"


class GeneratedPayloads(ClinicalOpsHandler):
    """Each waits for its packet and a clinical answer."""

    kind = DecisionMessage.Kind.PAYLOAD
    source = "generated_payload"
    content = "payload"
    prefix = "payload"

    def parse(self, row: Message) -> dict[str, Any]:
        return _sent(row.as_object()) if row.columns["json_sent_to_integration"] else _failed(row)

    def to_message(self, row: Message) -> DecisionMessage:
        """As in the base, with the payload beside what the message says."""
        message = super().to_message(row)
        if message.content["is_sent"]:
            message.payload = row.payload
        return message

    def hold_back(self, case: Case, message: DecisionMessage) -> Outcome | None:
        """Also dead is a payload for another answer than the one that counts, unless it is older than that."""
        if case.is_closed or case.active is None or not case.is_answered:
            return super().hold_back(case, message)
        answer, decision = message.content.get("answer"), case.active.clinical_decision
        is_later = (message.said_at or BEGINNING) >= (case.active.clinical_created_at or BEGINNING)
        if answer in (decision, None) or not is_later:
            return None
        # Dead, as nobody waits for it. If its answer arrives, the payload is woken and counts.
        return dead(f"the payload is for {answer}, but the decision is {decision}", CONTRADICTION)


def _sent(payload: dict[str, Any]) -> dict[str, Any]:
    if not is_storable(payload):
        raise BadMessage(f"the payload holds a number that is too large, or is nested more than {DEEPEST} levels deep")
    part_type = pick(payload, "partType", "part_type")
    if part_type not in PartType.values:
        raise BadMessage("partType must be A or B")
    return {
        "is_sent": True,
        "answer": _answer(payload.get("procedures")),
        "payload_digest": payload_digest(payload),
        "subtype": _subtype(pick(payload, "esmdTransactionId", "esmd_transaction_id")),
        "part_type": part_type,
    }


def _failed(row: Message) -> dict[str, Any]:
    values = row.as_object() if isinstance(row.payload, dict) else {}
    reason = explanation(pick(values, "error", "error_message", "errorMessage", "reason", "message"))
    return {"is_sent": False, "error": reason or NO_REASON}


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
    if transaction_id is None or not required(transaction_id, str, "esmdTransactionId").strip():
        return DecisionSubtype.DIRECT_PA.value
    return DecisionSubtype.STANDARD_PA.value
