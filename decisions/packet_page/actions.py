"""The actions of staff on a packet, as buttons and forms of its page; the verbs themselves check everything again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from decisions.case import Case
from decisions.codes import ClinicalDecision
from decisions.errors import NotAllowedNow
from decisions.models import PacketDecision
from decisions.packet_page.forms import ClinicalForm, DismissForm, MoveForm, OperationalForm
from decisions.staff.affirm import affirm, refuse_affirmation
from decisions.staff.approve import approve, refuse_approval
from decisions.staff.dismiss import dismiss, refuse_dismissal
from decisions.staff.update_clinical_decision import refuse_if_closed, update_clinical_decision
from decisions.staff.update_operational_decision import operational_targets, update_operational_decision
from inbox.admin_pages.guarded_form import ReasonForm
from inbox.operations.operation import Asked
from packets.codes import DetailedStatus
from packets.models import Packet
from packets.move_packet import move_packet
from packets.moves import STAFF_STEPS

DECIDE = "decisions.decide_packet"
MOVE = "decisions.move_packet"


def sees_decisions(user: Any) -> bool:
    """True for users who may read decisions or make them."""
    return user.has_perm("decisions.view_packetdecision") or user.has_perm(DECIDE)


def sees_events(user: Any) -> bool:
    """True for users who may read the events of packets or cause them."""
    return user.has_perm("packets.view_packetevent") or user.has_perm(DECIDE) or user.has_perm(MOVE)


def _seen_version(case: Case) -> str:
    return str(case.active.pk) if case.active else ""


def _version_of(text: str) -> int | None:
    """None if no decision was seen; 0, which no version has, for a text that no form carries."""
    if not text:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Action(Asked):
    """A verb of staff. It takes the packet's key, who, the request's id, what was seen, and what the form asks for."""

    verb: Callable[..., PacketDecision | Packet]
    # The choices of the person, if there are any. Raises NotAllowedNow if the action makes no sense as the case is.
    choices: Callable[[Case], list[str] | None]
    permission: str = DECIDE
    form: type[ReasonForm] = ReasonForm
    # The state of the case that a person sees and decides upon, as a text for the form, and back.
    seen: Callable[[Case], str] = _seen_version
    read_seen: Callable[[str], Any] = _version_of


def _clinical_choices(case: Case) -> list[str]:
    refuse_if_closed(case)
    current = case.active.clinical_decision if case.active else None
    return [answer for answer in ClinicalDecision.values if answer not in (ClinicalDecision.PENDING, current)]


def _operational_choices(case: Case) -> list[str]:
    if targets := operational_targets(case):
        return [str(target) for target in targets]
    decision = f"is {case.active.operational_decision}" if case.active else "has not been made yet"
    raise NotAllowedNow(
        f"the operational decision {decision} and the packet is at {case.packet.detailed_status}; "
        "it can't be changed here"
    )


def _move_choices(case: Case) -> list[str]:
    status = case.packet.detailed_status
    if targets := [str(to) for to in DetailedStatus if (status, to) in STAFF_STEPS]:
        return targets
    raise NotAllowedNow(f"no step leads by hand from {status}")


ACTIONS = (
    Action(
        name="approve",
        label="Approve",
        does="Sends the packet to clinical review.",
        verb=approve,
        choices=refuse_approval,
    ),
    Action(
        name="affirm",
        label="Affirm",
        does="Affirms without a clinical review. The payload for CMS is generated next.",
        verb=affirm,
        choices=refuse_affirmation,
    ),
    Action(
        name="dismiss",
        label="Dismiss",
        does="Turns the packet down before any clinical answer, with a denial reason and its details.",
        verb=dismiss,
        choices=refuse_dismissal,
        form=DismissForm,
    ),
    Action(
        name="clinical-decision",
        label="Set clinical decision",
        does="Gives the answer that ClinicalOps would give, or corrects it. A different answer starts a new round.",
        verb=lambda packet_id, to, **request: update_clinical_decision(packet_id, answer=to, **request),
        choices=_clinical_choices,
        form=ClinicalForm,
    ),
    Action(
        name="operational-decision",
        label="Set operational decision",
        does="Closes a case whose work is done, or opens a closed one again (PENDING).",
        verb=update_operational_decision,
        choices=_operational_choices,
        form=OperationalForm,
    ),
    Action(
        name="move",
        label="Move",
        does="Sets the packet's status by hand.",
        verb=move_packet,
        choices=_move_choices,
        permission=MOVE,
        form=MoveForm,
        seen=lambda case: str(case.packet.detailed_status),
        read_seen=str,
    ),
)


def why_not(action: Action, case: Case) -> str | None:
    """Why the action makes no sense as the case is; None if it does."""
    try:
        action.choices(case)
    except NotAllowedNow as refusal:
        return str(refusal)
    return None
