"""The history of a packet. Append-only: a trigger refuses UPDATE and DELETE."""

from django.db import models

from inbox.fields import now
from packets.models.packet import Packet


class PacketEvent(models.Model):
    class What(models.TextChoices):
        CREATED = "created", "Created"
        INTAKE_REPLACED = "intake_replaced", "Newer intake applied"
        INTAKE_IGNORED = "intake_ignored", "Intake ignored"
        MOVED = "moved", "Moved by hand"
        DECIDED = "decided", "Decided"
        ANSWERED = "answered", "Answer applied"
        ANSWER_IGNORED = "answer_ignored", "Answer ignored"

    packet = models.ForeignKey(Packet, on_delete=models.PROTECT, related_name="events")
    at = models.DateTimeField(db_default=now())
    what = models.TextField(choices=What)
    by = models.TextField(null=True, help_text="The person; null if a job did it.")
    job_id = models.BigIntegerField(null=True, help_text="inbox_id of the job. Jobs are pruned; history is kept.")
    from_status = models.TextField(null=True)
    to_status = models.TextField(null=True)
    reason = models.TextField(null=True)
    correlation_id = models.UUIDField(null=True, help_text="The request of a move by hand.")

    class Meta:
        db_table = "packet_event"
        verbose_name = "event"
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.what
