"""Approve: the packet goes to clinical review. Its first decision version, and one row to ClinicalOps."""

from typing import Unpack

from decisions.case import Case
from decisions.codes import DecisionType
from decisions.errors import NotAllowedNow
from decisions.models import PacketDecision
from decisions.outbox import request_clinical_review
from decisions.staff.decide import Request, decide, open_case, refuse_move
from decisions.versions import has_decision
from packets.moves import Verb


def approve(packet_id: int, **request: Unpack[Request]) -> PacketDecision:
    """Approve the packet for clinical review. Raises DecisionRefused."""
    case, made = open_case(packet_id, request, decision_type=DecisionType.APPROVE)
    if made:
        return made
    refuse_approval(case)
    version = decide(case, Verb.APPROVE, request)
    request_clinical_review(case.packet, version)
    return version


def refuse_approval(case: Case) -> None:
    """Raise NotAllowedNow if the packet can't be approved as it is."""
    refuse_move(case, Verb.APPROVE)
    if has_decision(case):
        raise NotAllowedNow("the packet has a decision already; only its operational or clinical decision can change")
