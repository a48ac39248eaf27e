"""Handles UTN answers: the tracking number of a request, or why there is none."""

from collections.abc import Sequence
from typing import Any

from decisions.messages.handler import DecisionHandler, Parsed
from decisions.models import DecisionMessage
from inbox.api import LockedJob
from packets.messages import Message, read_each
from packets.values import MAX_TEXT, BadMessage, explanation, pick, required_text


class UtnAnswers(DecisionHandler):
    """Each waits for its packet and a clinical answer."""

    kind = DecisionMessage.Kind.UTN
    source = "integration"

    def read(self, jobs: Sequence[LockedJob]) -> Parsed:
        return read_each(jobs, self.to_message)


class UtnSuccesses(UtnAnswers):
    """The UTN is stored and acknowledged, and one letter is requested per round."""

    def parse(self, row: Message) -> dict[str, Any]:
        utn = pick(row.as_object(), "unique_tracking_number", "uniqueTrackingNumber")
        return {"is_success": True, "utn": required_text(utn, "unique_tracking_number")}


class UtnFailures(UtnAnswers):
    """The packet is validated again, with what went wrong and what to do."""

    def parse(self, row: Message) -> dict[str, Any]:
        values = row.as_object()
        content = {
            "error_code": explanation(pick(values, "error_code", "errorCode"), MAX_TEXT),
            "error_description": explanation(pick(values, "error_description", "errorDescription")),
            "action_required": explanation(pick(values, "action_required", "actionRequired")),
        }
        if not any(content.values()):
            raise BadMessage("error_code, error_description and action_required are all absent")
        return {"is_success": False, **content}
