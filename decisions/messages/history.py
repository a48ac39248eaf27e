"""The move of a packet that follows from a new version of its decision, and a line of history for each message."""

from decisions.codes import EsmdRequestStatus, UtnStatus
from decisions.messages.case_update import CaseUpdate
from decisions.models import PacketDecision
from decisions.rules.current_state import is_answered
from packets.codes import DetailedStatus, ValidationStatus
from packets.models import PacketEvent
from packets.move_packet import PacketMove
from packets.moves import MOVES, Verb


def move_of(update: CaseUpdate) -> PacketMove:
    """The packet's next status and validation status; the same as before if there is no new version."""
    packet = update.case.packet
    status, validation = DetailedStatus(packet.detailed_status), ValidationStatus(packet.validation_status)
    if update.version is None:
        return PacketMove(packet, status, validation)
    active, version = update.case.active, update.version
    was_to_be_fixed = active is not None and active.requires_utn_fix
    if version.requires_utn_fix:
        if active is None or _failure(version) != _failure(active):
            validation = ValidationStatus.PENDING_VALIDATION
    elif was_to_be_fixed and validation == ValidationStatus.PENDING_VALIDATION:
        validation = packet.first_validation_status
    return PacketMove(packet, _status_after(version, active) or status, validation)


def events_of(update: CaseUpdate, move: PacketMove) -> list[PacketEvent]:
    """A line of history per message."""
    from_status = update.case.packet.detailed_status
    return [
        PacketEvent(
            packet_id=update.case.packet.pk,
            what=PacketEvent.What.ANSWER_IGNORED if item.why_ignored else PacketEvent.What.ANSWERED,
            by=item.by,
            job_id=item.job_id,
            from_status=from_status,
            to_status=from_status if item.why_ignored and not item.version else move.to,
            reason="; ".join(filter(None, [item.reason, item.why_ignored])) or None,
        )
        for item in update.new
    ]


def _status_after(version: PacketDecision, active: PacketDecision | None) -> DetailedStatus | None:
    """The status to move to if the version is a step beyond the active one, or in another round."""
    verb = _last_step(version)
    if verb is None:
        return None
    is_step = active is None or version.decision_round != active.decision_round or verb != _last_step(active)
    return MOVES[verb].to if is_step else None


def _last_step(version: PacketDecision) -> Verb | None:
    """The last thing that has happened to this version; None before a clinical answer."""
    if not is_answered(version.clinical_decision):
        return None
    if version.utn_status == UtnStatus.SUCCESS:
        return Verb.UTN_SUCCESS
    if version.utn_status == UtnStatus.FAILED:
        return Verb.UTN_FAIL
    if version.esmd_request_status in (EsmdRequestStatus.SENT, EsmdRequestStatus.ACKED):
        return Verb.PAYLOAD
    return Verb.CLINICAL_ANSWER


def _failure(version: PacketDecision) -> tuple:
    return (version.utn_status, version.utn_error_code, version.utn_error_description, version.utn_action_required)
