"""A pause of a source whose service is down. The row exists only while the source is paused."""

from django.db import models

from inbox.fields import now


class SourcePause(models.Model):
    source = models.TextField(primary_key=True)
    reason = models.TextField()
    paused_since = models.DateTimeField(db_default=now())
    next_try_at = models.DateTimeField(help_text="When one process may try one job, the probe.")
    tries = models.IntegerField(db_default=0, help_text="Failed probes since the pause began.")
    probe_lease_id = models.UUIDField(null=True, help_text="The lease of the last probe.")
    updated_at = models.DateTimeField(db_default=now())

    class Meta:
        db_table = "inbox_pause"
        verbose_name = "pause"

    def __str__(self) -> str:
        return self.source
