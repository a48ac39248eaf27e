"""The tables that other programs read: one row per request, written in the transaction that decides it."""

from django.db import models

from decisions.codes import OutboxStatus
from inbox.fields import now
from inbox.models.private import Private
from packets.models import SEE_PEOPLE, one_of


def outbox_constraints(table: str) -> list[models.BaseConstraint]:
    """The constraints of every outbox: known statuses, and each dedupe_key once."""
    return [
        models.UniqueConstraint(fields=["dedupe_key"], name=f"{table}_once"),
        one_of("message_status_id", OutboxStatus, f"{table}_status_known"),
    ]


class OutboxMessage(models.Model):
    message_id = models.BigAutoField(primary_key=True)
    decision_tracking_id = models.UUIDField()
    payload = models.JSONField()
    message_status_id = models.BigIntegerField(choices=OutboxStatus, db_default=OutboxStatus.WRITTEN)
    dedupe_key = models.TextField(help_text="Each request is written once.")
    attempt_count = models.IntegerField(db_default=0)
    created_at = models.DateTimeField(db_default=now())
    is_deleted = models.BooleanField(db_default=False)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.dedupe_key


class SendIntegration(OutboxMessage):
    class Meta:
        db_table = "send_integration"
        verbose_name = "message to Integration"
        verbose_name_plural = "messages to Integration"
        constraints = outbox_constraints("send_integration")


class SendClinicalOps(OutboxMessage):
    is_picked = models.BooleanField(
        null=True, help_text="Null: waiting. True: taken. False: refused, see error_reason."
    )
    error_reason = models.TextField(null=True)

    private = Private(SEE_PEOPLE, frozenset(["error_reason"]))

    class Meta:
        db_table = "send_clinicalops"
        verbose_name = "message to ClinicalOps"
        verbose_name_plural = "messages to ClinicalOps"
        constraints = outbox_constraints("send_clinicalops")
