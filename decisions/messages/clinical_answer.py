"""Handles clinical decisions: each is an answer of its case, and the newest one counts."""

from collections.abc import Sequence
from typing import Any

from django.db import connection

from decisions.case import Case
from decisions.codes import ClinicalDecision
from decisions.messages.case_update import APPLIED, SAME, NewMessage
from decisions.messages.clinical_ops import ClinicalOpsHandler
from decisions.messages.handler import Parsed
from decisions.models import DecisionMessage
from inbox.api import LockedJob, not_ready
from packets.messages import Message
from packets.values import BadMessage

WRITER = "its source row, which is being written"
ANSWER_OF_INDICATOR = {"A": ClinicalDecision.AFFIRM, "N": ClinicalDecision.NON_AFFIRM}

# Before anything else, and skipping rows that their writer holds: nobody waits for a writer with packets locked.
LOCK_ROWS = """
SELECT message_id FROM service_ops_send_serviceops WHERE message_id = ANY(%s)
 ORDER BY message_id FOR NO KEY UPDATE SKIP LOCKED
"""
SELECT_EXISTING = "SELECT message_id FROM service_ops_send_serviceops WHERE message_id = ANY(%s)"
# The trigger sees that no content changed, so nothing is ingested again.
MARK_APPLIED = "UPDATE service_ops_send_serviceops SET clinical_decision_applied_at = now() WHERE message_id = ANY(%s)"


class ClinicalAnswers(ClinicalOpsHandler):
    """Waits for its packet only. Also locks the source rows, in key order and before the packets."""

    kind = DecisionMessage.Kind.CLINICAL
    source = "clinical_decision"
    content = "clinical_ops_decision_json"
    prefix = "decision"

    def read(self, jobs: Sequence[LockedJob]) -> Parsed:
        held = _held_by_writers(jobs)
        messages, outcomes = super().read([job for job in jobs if job.message_id not in held])
        return messages, outcomes | {job.inbox_id: not_ready(WRITER) for job in jobs if job.message_id in held}

    def parse(self, row: Message) -> dict[str, Any]:
        indicator = row.as_object().get("decision_indicator")
        answer = ANSWER_OF_INDICATOR.get(indicator) if isinstance(indicator, str) else None
        if answer is None:
            raise BadMessage("decision_indicator must be A or N")
        return {"answer": answer.value}

    def hold_back(self, case: Case, message: DecisionMessage) -> None:
        return None

    def after(self, applied: Sequence[NewMessage]) -> None:
        """Mark the rows whose answer counts, says what counts already, or was applied before."""
        message_ids = [item.message.message_id for item in applied if item.why_ignored in (None, SAME, APPLIED)]
        if message_ids:
            with connection.cursor() as cursor:
                cursor.execute(MARK_APPLIED, [message_ids])


def _held_by_writers(jobs: Sequence[LockedJob]) -> set[int]:
    """Lock the rows of these jobs; returns the message ids of those that somebody else holds."""
    message_ids = [job.message_id for job in jobs]
    with connection.cursor() as cursor:
        cursor.execute(LOCK_ROWS, [message_ids])
        locked = {message_id for (message_id,) in cursor.fetchall()}
        if len(locked) == len(set(message_ids)):
            return set()
        cursor.execute(SELECT_EXISTING, [message_ids])
        return {message_id for (message_id,) in cursor.fetchall()} - locked
