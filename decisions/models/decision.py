"""A version of a packet's decision. Append-only: a change is a new version; of an old one only is_active changes."""

from django.db import models

from decisions import codes
from inbox.fields import now
from inbox.models.private import Private
from packets.models import SEE_PEOPLE, Packet, one_of


def known(field: str, choices: type[models.TextChoices]) -> models.CheckConstraint:
    """A CHECK that `field` holds one of the choices; null passes where the column allows it."""
    return one_of(field, choices, f"decision_{field}_known", or_null=True)


class PacketDecision(models.Model):
    packet_decision_id = models.BigAutoField(primary_key=True)
    packet = models.ForeignKey(Packet, on_delete=models.PROTECT, related_name="decisions", db_index=False)
    decision_type = models.TextField(choices=codes.DecisionType)
    operational_decision = models.TextField(
        choices=codes.OperationalDecision, db_default=codes.OperationalDecision.PENDING
    )
    clinical_decision = models.TextField(choices=codes.ClinicalDecision, db_default=codes.ClinicalDecision.PENDING)
    decision_outcome = models.TextField(choices=codes.DecisionOutcome, null=True)
    decision_subtype = models.TextField(choices=codes.DecisionSubtype, null=True)
    part_type = models.TextField(choices=codes.PartType, null=True)
    denial_reason = models.TextField(choices=codes.DenialReason, null=True)
    denial_details = models.JSONField(null=True)

    esmd_request_status = models.TextField(choices=codes.EsmdRequestStatus, db_default=codes.EsmdRequestStatus.NOT_SENT)
    esmd_payload_digest = models.TextField(
        null=True, help_text="Of the payload that was sent; the message with the same digest holds it."
    )
    # Only of versions whose payload was kept in the content of its message, as earlier releases did.
    esmd_request_payload = models.JSONField(null=True)
    esmd_error = models.TextField(null=True)
    utn = models.TextField(null=True)
    utn_status = models.TextField(choices=codes.UtnStatus, db_default=codes.UtnStatus.NONE)
    requires_utn_fix = models.BooleanField(db_default=False)
    utn_error_code = models.TextField(null=True)
    utn_error_description = models.TextField(null=True)
    utn_action_required = models.TextField(null=True)

    decision_round = models.IntegerField(db_default=1, help_text="A different clinical answer starts a new round.")
    # The messages that count; older ones change nothing.
    clinical_created_at = models.DateTimeField(null=True)
    clinical_message_id = models.BigIntegerField(null=True)
    utn_created_at = models.DateTimeField(null=True)
    utn_message_id = models.BigIntegerField(null=True)

    is_active = models.BooleanField(db_default=True)
    supersedes = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, related_name="superseded_by", help_text="The previous version."
    )
    correlation_id = models.UUIDField(help_text="The request that made it; repeated, it returns this version.")
    created_by = models.TextField()
    created_at = models.DateTimeField(db_default=now())

    private = Private(
        SEE_PEOPLE,
        frozenset(
            [
                *("denial_details", "esmd_error", "esmd_payload_digest"),
                *("utn", "utn_error_code", "utn_error_description", "utn_action_required"),
            ]
        ),
    )

    class Meta:
        db_table = "packet_decision"
        verbose_name = "decision version"
        permissions = [("decide_packet", "Can decide packets"), ("move_packet", "Can move packets by hand")]
        constraints = [
            models.UniqueConstraint(
                fields=["packet"], condition=models.Q(is_active=True), name="decision_one_active_per_packet"
            ),
            # Also serves as the index of packet_id.
            models.UniqueConstraint(fields=["packet", "correlation_id"], name="decision_once_per_request"),
            known("decision_type", codes.DecisionType),
            known("operational_decision", codes.OperationalDecision),
            known("clinical_decision", codes.ClinicalDecision),
            known("decision_outcome", codes.DecisionOutcome),
            known("decision_subtype", codes.DecisionSubtype),
            known("part_type", codes.PartType),
            known("denial_reason", codes.DenialReason),
            known("esmd_request_status", codes.EsmdRequestStatus),
            known("utn_status", codes.UtnStatus),
        ]

    def __str__(self) -> str:
        return f"decision {self.packet_decision_id}"
