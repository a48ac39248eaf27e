"""Reads a UTN answer: the tracking number, or why there is none."""

from typing import Any

from packets.messages import Message
from packets.values import MAX_TEXT, BadMessage, explanation, pick, required_text


def parse_utn_success(message: Message) -> dict[str, Any]:
    """What a UTN message says, in the words of decisions/rules/current_state.py. Raises BadMessage."""
    payload = message.as_object()
    utn = pick(payload, "unique_tracking_number", "uniqueTrackingNumber")
    return {"is_success": True, "utn": required_text(utn, "unique_tracking_number")}


def parse_utn_fail(message: Message) -> dict[str, Any]:
    """What a UTN_FAIL message says, in the words of decisions/rules/current_state.py. Raises BadMessage."""
    payload = message.as_object()
    content = {
        "error_code": explanation(pick(payload, "error_code", "errorCode"), MAX_TEXT),
        "error_description": explanation(pick(payload, "error_description", "errorDescription")),
        "action_required": explanation(pick(payload, "action_required", "actionRequired")),
    }
    if not any(content.values()):
        raise BadMessage("error_code, error_description and action_required are all absent")
    return {"is_success": False, **content}
