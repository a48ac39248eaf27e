"""Reads a UTN answer: the tracking number, or why there is none."""

from typing import Any

from packets.intake.values import pick, require_same_tracking_id, short_text
from packets.messages import BadMessage, Message, type_name

# An explanation may be longer than a name; what is longer than this is no explanation.
LONGEST_EXPLANATION = 4000


def parse_utn_success(message: Message) -> dict[str, Any]:
    """What a UTN message says, in the words of decisions/standing.py. Raises BadMessage."""
    payload = _payload(message)
    utn = short_text(pick(payload, "unique_tracking_number", "uniqueTrackingNumber"))
    if utn is None:
        raise BadMessage("unique_tracking_number is absent, empty or no text of up to 255 characters")
    return {"is_success": True, "utn": utn}


def parse_utn_fail(message: Message) -> dict[str, Any]:
    """What a UTN_FAIL message says, in the words of decisions/standing.py. Raises BadMessage."""
    payload = _payload(message)
    content = {
        "error_code": short_text(pick(payload, "error_code", "errorCode")),
        "error_description": _explanation(pick(payload, "error_description", "errorDescription")),
        "action_required": _explanation(pick(payload, "action_required", "actionRequired")),
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


def _explanation(value: Any) -> str | None:
    """Cut rather than lost: a person has to act on it."""
    if isinstance(value, str):
        value = value[:LONGEST_EXPLANATION]
    return short_text(value, LONGEST_EXPLANATION)
