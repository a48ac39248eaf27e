"""Dismiss: the packet is turned down before any clinical answer, for a reason with its required details."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from decisions.case import Case
from decisions.codes import ClinicalDecision, DecisionOutcome, DecisionType, DenialReason, OperationalDecision
from decisions.errors import DetailsMissing, NotAllowedNow
from decisions.models import PacketDecision
from decisions.staff.decide import decide, open_case, refuse_if_stale, refuse_move
from decisions.versions import next_version
from inbox.db.storable import is_storable
from packets.moves import Verb

# What each reason requires in denial_details.
REQUIRED_DETAIL = {
    DenialReason.MISSING_FIELDS: "missingFields",
    DenialReason.INVALID_PECOS: "explanation",
    DenialReason.INVALID_HETS: "explanation",
    DenialReason.PROCEDURE_NOT_SUPPORTED: "procedureCode",
    DenialReason.NO_MEDICAL_RECORDS: "reason",
    DenialReason.OTHER: "reason",
}


def dismiss(
    packet_id: int,
    *,
    denial_reason: DenialReason,
    denial_details: Mapping[str, Any],
    by: str,
    reason: str,
    correlation_id: UUID,
    seen: int | None = None,
) -> PacketDecision:
    """Dismiss the packet. `seen` is the key of the version that the person saw, if there was one.

    Runs in the caller's transaction; the same `correlation_id` returns the version it made. Raises DecisionRefused, and
    ValueError for a reason that is none.
    """
    check_details(denial_reason, denial_details)
    case, made = open_case(packet_id, by=by, reason=reason, correlation_id=correlation_id, decision_type="DISMISSAL")
    if made:
        return made
    refuse_if_stale(case, seen)
    refuse_dismissal(case)
    version = next_version(
        case,
        by=by,
        correlation_id=correlation_id,
        decision_type=DecisionType.DISMISSAL,
        operational_decision=OperationalDecision.DISMISSAL,
        clinical_decision=ClinicalDecision.PENDING,
        decision_outcome=DecisionOutcome.DISMISSAL,
        denial_reason=denial_reason,
        denial_details=dict(denial_details),
    )
    return decide(case, version, Verb.DISMISS, by=by, reason=reason)


def refuse_dismissal(case: Case) -> None:
    """Raise NotAllowedNow if the packet can't be dismissed as it is."""
    if case.active is not None and case.is_answered:
        raise NotAllowedNow(f"a clinical answer is there ({case.active.clinical_decision})")
    refuse_move(case, Verb.DISMISS)


def check_details(denial_reason: DenialReason, details: Mapping[str, Any]) -> None:
    """Raise DetailsMissing if the details lack what the reason requires."""
    if not is_storable(details):
        raise DetailsMissing("the details hold a character or a number that can't be stored")
    name = REQUIRED_DETAIL[DenialReason(denial_reason)]
    value = details.get(name)
    if name == "missingFields":
        if (
            not isinstance(value, list)
            or not value
            or not all(isinstance(item, str) and item.strip() for item in value)
        ):
            raise DetailsMissing(f"{denial_reason} needs {name}: a list of the fields, with at least one")
    elif not isinstance(value, str) or not value.strip():
        raise DetailsMissing(f"{denial_reason} needs {name}: a text")
