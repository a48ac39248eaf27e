"""Messages that a decision version implies and nobody sent, such as those of a version that was written by SQL."""

from datetime import datetime
from typing import Any

from decisions.codes import EsmdRequestStatus, UtnStatus
from decisions.models import DecisionMessage, PacketDecision
from decisions.rules.current_state import Kind, State, current_state, is_answered

IS_SENT = {EsmdRequestStatus.SENT: True, EsmdRequestStatus.ACKED: True, EsmdRequestStatus.FAILED: False}
PAYLOAD = ("esmd_payload_digest", "esmd_request_payload")
ESMD = (*PAYLOAD, "esmd_error", "decision_subtype", "part_type")
UTN = ("utn", "utn_status", "utn_error_code", "utn_error_description", "utn_action_required")


def inferred(active: PacketDecision | None, known: list[DecisionMessage]) -> list[DecisionMessage]:
    """Messages that say what the active version says, where the known messages say something else.

    A kind without a known message counts as said when its message was, or at the very beginning; one that contradicts
    known messages, as said when the version was made.
    """
    if active is None or not is_answered(active.clinical_decision):
        return []
    state = current_state(known)
    kinds = {message.kind for message in known}
    found: list[tuple[Kind, datetime | None, dict[str, Any]]] = []
    if state is None or state["clinical_decision"] != active.clinical_decision:
        found.append((Kind.CLINICAL, active.clinical_created_at, {"answer": active.clinical_decision}))
    if active.utn_status != UtnStatus.NONE and _differs(active, state, UTN):
        found.append((Kind.UTN, active.utn_created_at, _utn(active)))
    if _has_esmd(active) and (Kind.PAYLOAD not in kinds or _differs(active, state, _said_of_esmd(active))):
        found.append((Kind.PAYLOAD, active.clinical_created_at, _payload(active)))
    return [_message(active, kind, active.created_at if kind in kinds else at, said) for kind, at, said in found]


def _differs(active: PacketDecision, state: State | None, names: tuple[str, ...]) -> bool:
    return state is None or any(getattr(active, name) != state[name] for name in names)


def _said_of_esmd(active: PacketDecision) -> tuple[str, ...]:
    """A version of an earlier release carries no digest, and so contradicts none."""
    has_payload = any(getattr(active, name) is not None for name in PAYLOAD)
    return ESMD if has_payload else tuple(name for name in ESMD if name not in PAYLOAD)


def _has_esmd(active: PacketDecision) -> bool:
    """True if the version says something of a payload; ACKED alone does not, as a UTN says that."""
    is_told = active.esmd_request_status in (EsmdRequestStatus.SENT, EsmdRequestStatus.FAILED)
    return is_told or any(getattr(active, name) for name in ESMD)


def _utn(active: PacketDecision) -> dict[str, Any]:
    return {
        "is_success": active.utn_status == UtnStatus.SUCCESS,
        "utn": active.utn,
        "error_code": active.utn_error_code,
        "error_description": active.utn_error_description,
        "action_required": active.utn_action_required,
    }


def _payload(active: PacketDecision) -> dict[str, Any]:
    return {
        "is_sent": IS_SENT.get(EsmdRequestStatus(active.esmd_request_status)),
        "payload_digest": active.esmd_payload_digest,
        "payload": active.esmd_request_payload,
        "error": active.esmd_error,
        "subtype": active.decision_subtype,
        "part_type": active.part_type,
    }


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
