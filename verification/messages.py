"""Messages about cases, as the other programs write them. All values are synthetic.

Each is written at a second of the story of its case, which began an hour ago; each function returns the message_id.
"""

from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from django.utils import timezone

from decisions.models import ClinicalOpsMessage
from packets.codes import Channel
from packets.models import IntegrationMessage, Packet
from packets.samples.shapes import esmd


def send_intake(tracking_id: UUID, *, second: float = 0) -> int:
    """A row of Integration, written at a second of the case's story."""
    payload = esmd(Random(second), tracking_id)  # noqa: S311 not a secret
    row = IntegrationMessage.objects.create(
        decision_tracking_id=tracking_id, payload=payload, channel_type_id=Channel.ESMD, created_at=_at(second)
    )
    return row.pk


def write_answer(packet: Packet, indicator: str, *, second: float = 0) -> int:
    """A row of ClinicalOps that affirms (A) or does not (N), at a second of the story."""
    row = ClinicalOpsMessage.objects.create(
        decision_tracking_id=packet.decision_tracking_id, created_at=_at(second), **_answer(indicator)
    )
    return row.pk


def rewrite_answer(message_id: int, indicator: str) -> None:
    """Correct the answer in a row, as ClinicalOps does."""
    ClinicalOpsMessage.objects.filter(pk=message_id).update(**_answer(indicator))


def _answer(indicator: str) -> dict[str, Any]:
    return {"clinical_ops_decision_json": {"decision_indicator": indicator}}


def write_payload(packet: Packet, indicator: str, *, second: float = 0) -> int:
    """A row of the JSON Generator: the payload for such an answer was sent."""
    payload = {"partType": "B", "esmdTransactionId": "TXN-FAKE-0001", "procedures": [{"decisionIndicator": indicator}]}
    row = ClinicalOpsMessage.objects.create(
        decision_tracking_id=packet.decision_tracking_id,
        created_at=_at(second),
        json_sent_to_integration=True,
        payload=payload,
    )
    return row.pk


def _at(second: float) -> datetime:
    return timezone.now() - timedelta(seconds=3600 - second)
