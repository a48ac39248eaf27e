"""What a decision version says and no message has said, as of versions that were brought from elsewhere by SQL."""

from datetime import datetime
from typing import Any

from decisions.codes import EsmdRequestStatus, UtnStatus
from decisions.models import DecisionMessage, PacketDecision
from decisions.rules.current_state import CurrentState, Kind, current_state, is_answered

IS_SENT = {EsmdRequestStatus.SENT: True, EsmdRequestStatus.ACKED: True, EsmdRequestStatus.FAILED: False}
ESMD = ("esmd_request_payload", "esmd_error", "decision_subtype", "part_type")
UTN = ("utn", "utn_status", "utn_error_code", "utn_error_description", "utn_action_required")


def inferred(active: PacketDecision | None, known: list[DecisionMessage]) -> list[DecisionMessage]:
    """Messages that say what the active version says, where what is known says something else.

    What nobody has spoken about is taken as said when its message was, or at the very beginning; what contradicts, as
    said when the version was made.
    """
    if active is None or not is_answered(active.clinical_decision):
        return []
    now = current_state(known)
    kinds = {message.kind for message in known}
    found = []
    if now is None or now.clinical_decision != active.clinical_decision:
        found.append(_clinical(active, is_new=Kind.CLINICAL in kinds))
    if active.utn_status != UtnStatus.NONE and _differs(active, now, UTN):
        found.append(_utn(active, is_new=Kind.UTN in kinds))
    if _says_something_of_esmd(active) and (Kind.PAYLOAD not in kinds or _differs(active, now, ESMD)):
        found.append(_payload(active, is_new=Kind.PAYLOAD in kinds))
    return found


def _differs(active: PacketDecision, now: CurrentState | None, names: tuple[str, ...]) -> bool:
    return now is None or any(getattr(active, name) != getattr(now, name) for name in names)


def _says_something_of_esmd(active: PacketDecision) -> bool:
    """ACKED alone does not: that is what the UTN says."""
    is_told = active.esmd_request_status in (EsmdRequestStatus.SENT, EsmdRequestStatus.FAILED)
    return is_told or any(getattr(active, name) for name in ESMD)


def _clinical(active: PacketDecision, *, is_new: bool) -> DecisionMessage:
    at = active.created_at if is_new else active.clinical_created_at
    return _message(active, Kind.CLINICAL, at, {"answer": active.clinical_decision})


def _utn(active: PacketDecision, *, is_new: bool) -> DecisionMessage:
    content = {
        "is_success": active.utn_status == UtnStatus.SUCCESS,
        "utn": active.utn,
        "error_code": active.utn_error_code,
        "error_description": active.utn_error_description,
        "action_required": active.utn_action_required,
    }
    return _message(active, Kind.UTN, active.created_at if is_new else active.utn_created_at, content)


def _payload(active: PacketDecision, *, is_new: bool) -> DecisionMessage:
    content = {
        "is_sent": IS_SENT.get(EsmdRequestStatus(active.esmd_request_status)),
        "payload": active.esmd_request_payload,
        "error": active.esmd_error,
        "subtype": active.decision_subtype,
        "part_type": active.part_type,
    }
    return _message(active, Kind.PAYLOAD, active.created_at if is_new else active.clinical_created_at, content)


def _message(active: PacketDecision, kind: Kind, at: datetime | None, content: dict[str, Any]) -> DecisionMessage:
    return DecisionMessage(
        packet_id=active.packet_id,
        kind=kind,
        source="version",
        message_id=active.pk,
        revision=0,
        created_at=at,
        said_at=at,
        content=content,
    )
