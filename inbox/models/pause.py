"""A pause of a source whose service is down. The row exists only while the source is paused."""

from django.db import models

from inbox.fields import now


class SourcePause(models.Model):
    source = models.TextField(primary_key=True)
    reason = models.TextField()
    paused_since = models.DateTimeField(db_default=now())
    next_try_at = models.DateTimeField(help_text="From then on, one process tries one job.")
    tries = models.IntegerField(db_default=0, help_text="How often it was tried in vain since then.")
    probe_lease_id = models.UUIDField(null=True, help_text="Of the claim that tries it, or tried it last.")
    updated_at = models.DateTimeField(db_default=now())

    class Meta:
        db_table = "inbox_pause"
        verbose_name = "pause"

    def __str__(self) -> str:
        return self.source
