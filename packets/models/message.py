"""The messages of Integration, whose program writes the rows by plain SQL; this project only reads them."""

from django.db import models

from inbox.fields import ReadableDateTimeField, ReadableJsonField, now


class IntegrationMessage(models.Model):
    message_id = models.BigAutoField(primary_key=True)
    decision_tracking_id = models.UUIDField(null=True)
    payload = ReadableJsonField()
    created_at = ReadableDateTimeField(db_default=now())
    channel_type_id = models.BigIntegerField(null=True)
    message_type_id = models.BigIntegerField(null=True)
    is_deleted = models.BooleanField(db_default=False)

    class Meta:
        db_table = "integration_send_serviceops"
        verbose_name = "message from Integration"
        verbose_name_plural = "messages from Integration"
        indexes = [models.Index(fields=["created_at", "message_id"], name="integration_send_order")]

    def __str__(self) -> str:
        return f"message {self.message_id}"
