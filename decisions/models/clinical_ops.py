"""The table that ClinicalOps and the JSON Generator write: clinical decisions and generated payloads.

Rows become eligible and change by plain UPDATE, at any time. The trigger of migration 0002 keeps three columns for each
of the two contents: a revision, which rises when an ingested content has changed; a flag, whether the current content
was ingested; and the time when it was written. Only rows that are not ingested are in the partial indexes.
"""

from django.db import models

from inbox.fields import ReadableDateTimeField, ReadableJsonField, now


class ClinicalOpsMessage(models.Model):
    message_id = models.BigAutoField(primary_key=True)
    decision_tracking_id = models.UUIDField()
    payload = ReadableJsonField(db_default=models.Value({}, models.JSONField()))
    clinical_ops_decision_json = ReadableJsonField(null=True)
    json_sent_to_integration = models.BooleanField(null=True)
    clinical_decision_applied_at = models.DateTimeField(null=True)
    created_at = ReadableDateTimeField(db_default=now())
    updated_at = ReadableDateTimeField(db_default=now())
    is_deleted = models.BooleanField(db_default=False)

    decision_revision = models.IntegerField(db_default=1)
    is_decision_ingested = models.BooleanField(db_default=False)
    decision_written_at = ReadableDateTimeField(null=True, help_text="created_at, or the time of a later UPDATE.")
    payload_revision = models.IntegerField(db_default=1)
    is_payload_ingested = models.BooleanField(db_default=False)
    payload_written_at = ReadableDateTimeField(null=True, help_text="created_at, or the time of a later UPDATE.")

    class Meta:
        db_table = "service_ops_send_serviceops"
        verbose_name = "message from ClinicalOps"
        verbose_name_plural = "messages from ClinicalOps"
        indexes = [
            models.Index(
                fields=["message_id"],
                condition=models.Q(
                    is_decision_ingested=False, clinical_ops_decision_json__isnull=False, is_deleted=False
                ),
                name="clinical_ops_decision_new",
            ),
            models.Index(
                fields=["message_id"],
                condition=models.Q(is_payload_ingested=False, json_sent_to_integration__isnull=False, is_deleted=False),
                name="clinical_ops_payload_new",
            ),
        ]

    def __str__(self) -> str:
        return f"message {self.message_id}"
