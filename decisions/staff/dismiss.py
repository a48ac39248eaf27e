"""Dismiss: the packet is turned down before any clinical answer, for a reason with its required details."""

from collections.abc import Mapping
from typing import Any, Unpack

from decisions.case import Case
from decisions.codes import ClinicalDecision, DecisionOutcome, DecisionType, DenialReason, OperationalDecision
from decisions.errors import DetailsMissing
from decisions.models import PacketDecision
from decisions.staff.decide import Request, decide, open_case, refuse_if_answered, refuse_move
from inbox.db.storable import is_storable
from packets.moves import Verb

# The detail that each reason requires in denial_details.
REQUIRED_DETAIL = {
    DenialReason.MISSING_FIELDS: "missingFields",
    DenialReason.INVALID_PECOS: "explanation",
    DenialReason.INVALID_HETS: "explanation",
    DenialReason.PROCEDURE_NOT_SUPPORTED: "procedureCode",
    DenialReason.NO_MEDICAL_RECORDS: "reason",
    DenialReason.OTHER: "reason",
}


def dismiss(
    packet_id: int, *, denial_reason: DenialReason, denial_details: Mapping[str, Any], **request: Unpack[Request]
) -> PacketDecision:
    """Dismiss the packet. Raises DecisionRefused, and ValueError for a denial reason that is none."""
    check_details(denial_reason, denial_details)
    case, made = open_case(packet_id, request, decision_type=DecisionType.DISMISSAL)
    if made:
        return made
    refuse_dismissal(case)
    return decide(
        case,
        Verb.DISMISS,
        request,
        decision_type=DecisionType.DISMISSAL,
        operational_decision=OperationalDecision.DISMISSAL,
        clinical_decision=ClinicalDecision.PENDING,
        decision_outcome=DecisionOutcome.DISMISSAL,
        denial_reason=denial_reason,
        denial_details=dict(denial_details),
    )


def refuse_dismissal(case: Case) -> None:
    """Raise NotAllowedNow if the packet can't be dismissed as it is."""
    refuse_if_answered(case)
    refuse_move(case, Verb.DISMISS)


def check_details(denial_reason: DenialReason, details: Mapping[str, Any]) -> None:
    """Raise DetailsMissing if the details lack what the reason requires."""
    if not is_storable(details):
        raise DetailsMissing("the details hold a character or a number that can't be stored")
    name = REQUIRED_DETAIL[DenialReason(denial_reason)]
    is_list = name == "missingFields"
    texts = details.get(name) if is_list else [details.get(name)]
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise DetailsMissing(f"{denial_reason} needs {name}: {'a list of at least one field' if is_list else 'a text'}")
