"""What staff can do to a packet, as buttons and forms of its page; the verbs themselves check everything again."""

from typing import Any

from decisions.case import Case
from decisions.codes import ClinicalDecision, DenialReason, OperationalDecision
from decisions.errors import NotAllowedNow
from decisions.models import PacketDecision
from decisions.packet_page.forms import ActionForm, ClinicalForm, DismissForm, MoveForm, OperationalForm
from decisions.packet_page.permissions import DECIDE, MOVE
from decisions.staff.affirm import affirm, refuse_affirmation
from decisions.staff.approve import approve, refuse_approval
from decisions.staff.dismiss import dismiss, refuse_dismissal
from decisions.staff.update_clinical_decision import refuse_if_closed, update_clinical_decision
from decisions.staff.update_operational_decision import operational_targets, update_operational_decision
from decisions.versions import version_of_request
from packets.codes import DetailedStatus
from packets.models import PacketEvent
from packets.move_packet import move_packet
from packets.moves import STAFF_STEPS


class Action:
    """An action that makes a decision version. `does` says to the person what will happen."""

    name: str
    label: str
    does: str
    permission = DECIDE
    form: type[ActionForm] = ActionForm

    def choices(self, case: Case) -> list[str]:
        """What the person can choose from. Raises NotAllowedNow if the action makes no sense as the case is."""
        raise NotImplementedError

    def seen(self, case: Case) -> Any:
        """What a person who looks at the case now decides upon."""
        return case.active.pk if case.active else None

    def perform(self, case: Case, data: dict[str, Any], by: str) -> bool:
        """Do it in the caller's transaction, which has locked the case; False if that changes nothing.

        Raises DecisionRefused or MoveRefused.
        """
        request = {name: data[name] for name in ("reason", "correlation_id", "seen")}
        version = self.decide(case.packet.pk, data, by=by, **request)
        return version.correlation_id == data["correlation_id"]

    def decide(self, packet_id: int, data: dict[str, Any], **request: Any) -> PacketDecision:
        """Make the version."""
        raise NotImplementedError

    def is_done(self, case: Case, data: dict[str, Any], by: str) -> bool:
        """True if this very request was carried out before."""
        return version_of_request(case, data["correlation_id"]) is not None


class Approve(Action):
    name, label = "approve", "Approve"
    does = "Sends the packet to clinical review."

    def choices(self, case: Case) -> list[str]:
        refuse_approval(case)
        return []

    def decide(self, packet_id: int, data: dict[str, Any], **request: Any) -> PacketDecision:
        return approve(packet_id, **request)


class Dismiss(Action):
    name, label = "dismiss", "Dismiss"
    does = "Turns the packet down before any clinical answer, for a reason with its details."
    form = DismissForm

    def choices(self, case: Case) -> list[str]:
        refuse_dismissal(case)
        return []

    def decide(self, packet_id: int, data: dict[str, Any], **request: Any) -> PacketDecision:
        return dismiss(
            packet_id,
            denial_reason=DenialReason(data["denial_reason"]),
            denial_details=data["denial_details"],
            **request,
        )


class Affirm(Action):
    name, label = "affirm", "Affirm"
    does = "Affirms without a clinical review; the payload for CMS is generated next."

    def choices(self, case: Case) -> list[str]:
        refuse_affirmation(case)
        return []

    def decide(self, packet_id: int, data: dict[str, Any], **request: Any) -> PacketDecision:
        return affirm(packet_id, **request)


class SetClinicalDecision(Action):
    name, label = "clinical-decision", "Set clinical decision"
    does = (
        "Gives the answer that ClinicalOps would give, or corrects it. Another answer than before begins a new round."
    )
    form = ClinicalForm

    def choices(self, case: Case) -> list[str]:
        refuse_if_closed(case)
        current = case.active.clinical_decision if case.active else None
        return [
            answer for answer in ClinicalDecision.values if answer != ClinicalDecision.PENDING and answer != current
        ]

    def decide(self, packet_id: int, data: dict[str, Any], **request: Any) -> PacketDecision:
        return update_clinical_decision(packet_id, answer=ClinicalDecision(data["to"]), **request)


class SetOperationalDecision(Action):
    name, label = "operational-decision", "Set operational decision"
    does = "Closes a case whose work is done, or opens a closed one again (PENDING)."
    form = OperationalForm

    def choices(self, case: Case) -> list[str]:
        if targets := operational_targets(case):
            return [str(target) for target in targets]
        decision = case.active.operational_decision if case.active else "not there yet"
        raise NotAllowedNow(
            f"the operational decision is {decision}, the packet is at {case.packet.detailed_status}; "
            "it can't be changed here"
        )

    def decide(self, packet_id: int, data: dict[str, Any], **request: Any) -> PacketDecision:
        return update_operational_decision(packet_id, to=OperationalDecision(data["to"]), **request)


class Move(Action):
    """Makes no version, so its repetition is known by the packet's event of the same request."""

    name, label = "move", "Move"
    does = "Sets the packet's status by hand."
    permission = MOVE
    form = MoveForm

    def choices(self, case: Case) -> list[str]:
        status = case.packet.detailed_status
        if targets := [str(to) for to in DetailedStatus if (status, to) in STAFF_STEPS]:
            return targets
        raise NotAllowedNow(f"no step leads by hand from {status}")

    def seen(self, case: Case) -> Any:
        return case.packet.detailed_status

    def perform(self, case: Case, data: dict[str, Any], by: str) -> bool:
        to = DetailedStatus(data["to"])
        request = {name: data[name] for name in ("reason", "correlation_id", "seen")}
        move_packet(case.packet.pk, to=to, by=by, **request)
        return True

    def is_done(self, case: Case, data: dict[str, Any], by: str) -> bool:
        moves = case.packet.events.filter(what=PacketEvent.What.MOVED, correlation_id=data["correlation_id"])
        return moves.filter(from_status=data["seen"], to_status=data["to"]).exists()


ACTIONS: tuple[Action, ...] = (
    Approve(),
    Affirm(),
    Dismiss(),
    SetClinicalDecision(),
    SetOperationalDecision(),
    Move(),
)


def possible_actions(case: Case) -> list[Action]:
    """The actions that make sense as the case is."""
    return [action for action in ACTIONS if why_not(action, case) is None]


def why_not(action: Action, case: Case) -> str | None:
    """Why the action makes no sense as the case is; None if it does."""
    try:
        action.choices(case)
    except NotAllowedNow as refusal:
        return str(refusal)
    return None
