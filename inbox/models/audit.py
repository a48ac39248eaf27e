"""The audit: what people did to jobs, when and why. Append-only: a trigger refuses UPDATE and DELETE."""

from django.db import models

from inbox.fields import now


class InboxAudit(models.Model):
    at = models.DateTimeField(db_default=now())
    who = models.TextField()
    verb = models.TextField()
    reason = models.TextField()
    object = models.TextField(help_text="For example job:17.")
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        db_table = "inbox_audit"
        verbose_name = "audit entry"
        verbose_name_plural = "audit entries"
        # For the page of a job.
        indexes = [models.Index(fields=["object", "id"], name="inbox_audit_object")]

    def __str__(self) -> str:
        return f"{self.verb} {self.object}"
