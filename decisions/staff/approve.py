"""Approve: the packet goes to clinical review. Its first decision version, and one row to ClinicalOps."""

from uuid import UUID

from decisions.case import Case
from decisions.errors import NotAllowedNow
from decisions.models import PacketDecision
from decisions.outbox import request_clinical_review
from decisions.staff.decide import decide, open_case, refuse_if_stale, refuse_move
from decisions.versions import has_decision, next_version
from packets.moves import Verb


def approve(packet_id: int, *, by: str, reason: str, correlation_id: UUID, seen: int | None = None) -> PacketDecision:
    """Approve the packet for clinical review. `seen` is the key of the version that the person saw, if there was one.

    Runs in the caller's transaction; the same `correlation_id` returns the version it made. Raises DecisionRefused.
    """
    case, made = open_case(packet_id, by=by, reason=reason, correlation_id=correlation_id, decision_type="APPROVE")
    if made:
        return made
    refuse_if_stale(case, seen)
    refuse_approval(case)
    version = decide(case, next_version(case, by=by, correlation_id=correlation_id), Verb.APPROVE, by=by, reason=reason)
    request_clinical_review(case.packet, version)
    return version


def refuse_approval(case: Case) -> None:
    """Raise NotAllowedNow if the packet can't be approved as it is."""
    refuse_move(case, Verb.APPROVE)
    if has_decision(case):
        raise NotAllowedNow("the packet has a decision already; only its operational or clinical decision can change")
