"""A message about a packet's decision, as it was when it was applied. Append-only.

All messages of a packet together give its decision (decisions/rules/current_state.py), so their order does not matter.
Messages that wait, or that can never count, are not kept.

A generated payload is stored once, beside what its message says. The message and the versions that it leads to carry
its digest, which says whether two payloads are the same. So a version is small, and nobody has to read a payload to
decide.
"""

import hashlib
import json
from typing import Any

from django.db import models

from inbox.fields import now
from packets.models import Packet


class DecisionMessage(models.Model):
    class Kind(models.TextChoices):
        CLINICAL = "clinical", "Clinical answer"
        PAYLOAD = "payload", "Generated payload"
        UTN = "utn", "UTN answer"

    packet = models.ForeignKey(Packet, on_delete=models.PROTECT, related_name="decision_messages", db_index=False)
    kind = models.TextField(choices=Kind)
    source = models.TextField(help_text="The source of its job; `staff` for an answer by a person.")
    message_id = models.BigIntegerField()
    revision = models.IntegerField(db_default=1)
    created_at = models.DateTimeField(null=True, help_text="From the source row; null sorts before all others.")
    # A row that was inserted with a time in the future has the time at which it was taken in.
    said_at = models.DateTimeField(
        null=True, help_text="When this content was written: created_at, or the time of the UPDATE that wrote it."
    )
    content = models.JSONField(help_text="The parsed message, in the words of decisions/rules, without its payload.")
    # Null too for messages that an earlier version has kept: their payload is in `content`.
    payload = models.JSONField(
        null=True, help_text="The generated payload, which `payload_digest` in content stands for."
    )
    handled_at = models.DateTimeField(db_default=now())
    # Not stored, and known of a new message only: its row was inserted with this content, and not updated.
    is_inserted = False

    class Meta:
        db_table = "packet_decision_message"
        verbose_name = "decision message"
        constraints = [
            # Also serves as the index of packet_id.
            models.UniqueConstraint(
                fields=["packet", "kind", "source", "message_id", "revision"], name="decision_message_once"
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=["clinical", "payload", "utn"]), name="decision_message_kind_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.source} {self.message_id}.{self.revision}"

    @property
    def key(self) -> tuple:
        """Identifies the message within its case."""
        return (self.kind, self.source, self.message_id, self.revision)


def payload_digest(payload: dict[str, Any]) -> str:
    """The SHA-256 digest, in hex, of a payload that was read from a jsonb column, which gives its keys an order."""
    return hashlib.sha256(json.dumps(payload).encode()).hexdigest()
