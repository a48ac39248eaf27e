"""Pretends to be Integration, staff, ClinicalOps and esMD; generator.py is the JSON Generator.

Each does its next few steps when asked, as the tables that it may read require, so that a case flows from intake to
letter request by itself. The programs write plain SQL; the person uses the verbs of the admin. All data is invented.
"""

import json
from collections import Counter
from random import Random
from typing import Any
from uuid import uuid4

from django.db import connection, transaction

from decisions.codes import DenialReason
from decisions.errors import DecisionRefused
from decisions.staff.approve import approve
from decisions.staff.dismiss import dismiss
from packets.codes import DetailedStatus
from packets.models import Packet
from packets.samples.messages import insert, sample_messages

PERSON = "pretend.person"
DETAILS = {"reason": "TEST"}
SHARE_DISMISSED = 0.1
SHARE_NOT_AFFIRMED = 0.2
SHARE_UTN_FAILS = 0.15

ANSWER_REVIEWS = """
WITH picked AS (
    UPDATE send_clinicalops SET is_picked = true, message_status_id = 3
     WHERE message_id IN (SELECT message_id FROM send_clinicalops WHERE is_picked IS NULL AND NOT is_deleted
                           ORDER BY message_id LIMIT %s FOR UPDATE SKIP LOCKED)
    RETURNING decision_tracking_id
)
INSERT INTO service_ops_send_serviceops (decision_tracking_id, clinical_ops_decision_json)
SELECT decision_tracking_id,
       jsonb_build_object('source', 'clinical_ops_ddms', 'decision_status', 'FAKE',
                          'decision_indicator', CASE WHEN random() < %s THEN 'N' ELSE 'A' END,
                          'decision_tracking_id', decision_tracking_id)
  FROM picked
"""
# esMD answers what was sent to it, and answers again if its first answer was a failure.
SELECT_WAITING_FOR_UTN = """
SELECT decision_tracking_id, detailed_status FROM packet JOIN packet_decision AS decision USING (packet_id)
 WHERE decision.is_active AND (detailed_status = 'Pending - UTN' OR requires_utn_fix)
   AND decision.created_at < now() - interval '1 second'
 ORDER BY packet_id LIMIT %s
"""
INSERT_MESSAGE = "INSERT INTO integration_send_serviceops (decision_tracking_id, payload) VALUES (%s, %s)"


class Neighbours:
    """`at_once` is how many cases each of them takes at a time; `counts` is what they have done."""

    def __init__(self, seed: int, at_once: int = 20) -> None:
        self.random = Random(seed)  # noqa: S311 not a secret
        self.at_once = at_once
        self.counts: Counter[str] = Counter()

    def act(self, intakes: int) -> None:
        """Send this many intakes, then let everyone do their next steps."""
        if intakes:
            self.counts["intakes sent"] += insert(sample_messages(intakes, self.random.randrange(2**32)))
        self._decide()
        self._answer()
        self._acknowledge()

    def _decide(self) -> None:
        packets = Packet.objects.filter(detailed_status=DetailedStatus.PENDING_NEW, has_documents=True)
        for packet_id in packets.order_by("packet_id").values_list("packet_id", flat=True)[: self.at_once]:
            request: dict[str, Any] = {"by": PERSON, "reason": "pretended", "correlation_id": uuid4()}
            is_dismissed = self.random.random() < SHARE_DISMISSED
            try:
                with transaction.atomic():
                    if is_dismissed:
                        dismiss(packet_id, denial_reason=DenialReason.OTHER, denial_details=DETAILS, **request)
                    else:
                        approve(packet_id, **request)
                self.counts["dismissed" if is_dismissed else "approved"] += 1
            except DecisionRefused:
                self.counts["decided by others"] += 1

    def _answer(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(ANSWER_REVIEWS, [self.at_once, SHARE_NOT_AFFIRMED])
            self.counts["answered"] += cursor.rowcount

    def _acknowledge(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(SELECT_WAITING_FOR_UTN, [self.at_once])
            for tracking_id, status in cursor.fetchall():
                is_first = status == DetailedStatus.PENDING_UTN
                if is_first and self.random.random() < SHARE_UTN_FAILS:
                    message = {"message_type": "UTN_FAIL", "error_code": "E-FAKE", "action_required": "TEST"}
                    self.counts["UTN failures"] += 1
                else:
                    number = f"UTN-FAKE-{self.random.randrange(10**6):06}"
                    message = {"message_type": "UTN", "unique_tracking_number": number}
                    self.counts["UTNs"] += 1
                cursor.execute(INSERT_MESSAGE, [tracking_id, json.dumps(message)])
