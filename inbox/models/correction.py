"""A corrected message. The original stays unchanged beside it; the newest correction of a job is handled."""

from django.db import models

from inbox.fields import ReadableJsonField, now
from inbox.models.job import InboxJob


class InboxCorrection(models.Model):
    # The foreign key made in migration 0006 deletes the corrections of a pruned job.
    job = models.ForeignKey(InboxJob, on_delete=models.CASCADE, related_name="corrections", db_constraint=False)
    content = ReadableJsonField(help_text="Handled in place of the payload of the source row.")
    made_at = models.DateTimeField(db_default=now())
    made_by = models.TextField()

    class Meta:
        db_table = "inbox_correction"
        verbose_name = "correction"

    def __str__(self) -> str:
        return f"correction {self.pk} of job {self.job_id}"
