"""Affirm: a person affirms without a clinical review; the payload for CMS is generated as after any answer."""

from uuid import UUID

from decisions.case import Case
from decisions.codes import ClinicalDecision
from decisions.errors import NotAllowedNow
from decisions.models import PacketDecision
from decisions.staff.decide import open_case, refuse_if_stale, refuse_move
from decisions.staff.update_clinical_decision import refuse_if_closed, update_clinical_decision
from packets.moves import Verb


def affirm(packet_id: int, *, by: str, reason: str, correlation_id: UUID, seen: int | None = None) -> PacketDecision:
    """Affirm a packet that has no clinical answer yet. `seen` is the key of the version that the person saw, if any.

    Runs in the caller's transaction; the same `correlation_id` returns the version it made. Raises DecisionRefused.
    """
    case, made = open_case(packet_id, by=by, reason=reason, correlation_id=correlation_id, clinical_decision="AFFIRM")
    if made:
        return made
    refuse_if_stale(case, seen)
    refuse_affirmation(case)
    return update_clinical_decision(
        packet_id, answer=ClinicalDecision.AFFIRM, by=by, reason=reason, correlation_id=correlation_id, seen=seen
    )


def refuse_affirmation(case: Case) -> None:
    """Raise NotAllowedNow if the packet can't be affirmed without a review as it is."""
    if case.active is not None and case.is_answered:
        raise NotAllowedNow(f"a clinical answer is there ({case.active.clinical_decision})")
    refuse_if_closed(case)
    refuse_move(case, Verb.AFFIRM)
