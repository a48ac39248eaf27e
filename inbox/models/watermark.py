"""How far a source has been read: where the next ingest starts. Sweeps look behind it for rows that committed late."""

from django.db import models

from inbox.fields import now


class PollWatermark(models.Model):
    source = models.TextField(primary_key=True)
    last_created_at = models.DateTimeField(null=True)
    last_message_id = models.BigIntegerField(null=True)
    pruned_before = models.DateTimeField(null=True, help_text="Source rows older than this never become jobs again.")
    pruned_count = models.BigIntegerField(db_default=0, help_text="Jobs of this source that were pruned.")
    reconcile_finds = models.BigIntegerField(
        db_default=0, help_text="Rows that only the reconcile found. Each is an incident."
    )
    lookback_finds = models.BigIntegerField(db_default=0, help_text="Rows that committed late, found by the lookback.")
    next_lookback_at = models.DateTimeField(db_default=now(), help_text="The process that moves it does the lookback.")
    next_reconcile_at = models.DateTimeField(db_default=now())
    updated_at = models.DateTimeField(db_default=now())

    class Meta:
        db_table = "poll_watermark"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(last_created_at__isnull=True, last_message_id__isnull=True)
                | models.Q(last_created_at__isnull=False, last_message_id__isnull=False),
                name="poll_watermark_is_a_pair",
            ),
        ]

    def __str__(self) -> str:
        return self.source
