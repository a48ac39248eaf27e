"""The work of each process up to the end of each minute: gives the throughput without reading jobs."""

from django.db import models


class InboxTally(models.Model):
    pk = models.CompositePrimaryKey("minute", "worker_id")
    minute = models.DateTimeField()
    worker_id = models.BigIntegerField(help_text="inbox_worker.id")
    done_count = models.BigIntegerField(help_text="Since the process began, like the other counts.")
    failed_count = models.BigIntegerField()
    dead_count = models.BigIntegerField()

    class Meta:
        db_table = "inbox_tally"
        verbose_name = "tally"
        verbose_name_plural = "tallies"

    def __str__(self) -> str:
        return f"{self.worker_id} at {self.minute}"
