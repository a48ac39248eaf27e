"""Reads a UTN answer: the tracking number, or why there is none."""

from typing import Any

from packets.messages import BadMessage, Message, type_name
from packets.values import MAX_TEXT, explanation, pick, require_same_tracking_id, short_text


def parse_utn_success(message: Message) -> dict[str, Any]:
    """What a UTN message says, in the words of decisions/rules/current_state.py. Raises BadMessage."""
    payload = _payload(message)
    utn = short_text(pick(payload, "unique_tracking_number", "uniqueTrackingNumber"))
    if utn is None:
        raise BadMessage("unique_tracking_number is absent, empty or no text of up to 255 characters")
    return {"is_success": True, "utn": utn}


def parse_utn_fail(message: Message) -> dict[str, Any]:
    """What a UTN_FAIL message says, in the words of decisions/rules/current_state.py. Raises BadMessage."""
    payload = _payload(message)
    content = {
        "error_code": explanation(pick(payload, "error_code", "errorCode"), MAX_TEXT),
        "error_description": explanation(pick(payload, "error_description", "errorDescription")),
        "action_required": explanation(pick(payload, "action_required", "actionRequired")),
    }
    if not any(content.values()):
        raise BadMessage("error_code, error_description and action_required are all absent")
    return {"is_success": False, **content}


def _payload(message: Message) -> dict[str, Any]:
    if message.job.decision_tracking_id is None:
        raise BadMessage("decision_tracking_id of the row is null")
    if not isinstance(message.payload, dict):
        raise BadMessage(f"the payload is {type_name(message.payload)}; an object is needed")
    tracking_id = pick(message.payload, "decision_tracking_id", "decisionTrackingId")
    require_same_tracking_id(tracking_id, message.job.decision_tracking_id)
    return message.payload
