"""Affirm: a person affirms without a clinical review; the payload for CMS is generated as after any answer."""

from typing import Unpack

from decisions.case import Case
from decisions.codes import ClinicalDecision
from decisions.models import PacketDecision
from decisions.staff.decide import Request, open_case, refuse_if_answered, refuse_move
from decisions.staff.update_clinical_decision import give_answer, refuse_if_closed
from packets.moves import Verb


def affirm(packet_id: int, **request: Unpack[Request]) -> PacketDecision:
    """Affirm a packet that has no clinical answer yet. Raises DecisionRefused."""
    case, made = open_case(packet_id, request, clinical_decision=ClinicalDecision.AFFIRM)
    if made:
        return made
    refuse_affirmation(case)
    return give_answer(case, ClinicalDecision.AFFIRM, request)


def refuse_affirmation(case: Case) -> None:
    """Raise NotAllowedNow if the packet can't be affirmed without a review as it is."""
    refuse_if_answered(case)
    refuse_if_closed(case)
    refuse_move(case, Verb.AFFIRM)
