"""A worker process: its identity, its state and how many jobs it has ended."""

from django.db import models

from inbox.fields import now


class InboxWorker(models.Model):
    class State(models.TextChoices):
        RUNNING = "RUNNING", "Running"
        STOPPED = "STOPPED", "Stopped normally"
        GONE = "GONE", "Lost: died, or lost its connection"

    instance_id = models.UUIDField(
        unique=True, help_text="Chosen by the process, so that a repeated registration finds its row."
    )
    worker_id = models.TextField()
    command = models.TextField()
    host = models.TextField()
    pid = models.IntegerField()
    has_presence = models.BooleanField(
        db_default=False, help_text="It holds a session lock that vanishes with it, so others notice its death at once."
    )
    state = models.TextField(choices=State, db_default=State.RUNNING)
    started_at = models.DateTimeField(db_default=now())
    last_seen_at = models.DateTimeField(db_default=now())
    done_count = models.BigIntegerField(db_default=0)
    failed_count = models.BigIntegerField(db_default=0)
    dead_count = models.BigIntegerField(db_default=0)

    class Meta:
        db_table = "inbox_worker"
        verbose_name = "worker"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=["RUNNING", "STOPPED", "GONE"]), name="inbox_worker_state_known"
            )
        ]
        # The check for lost workers reads it every second, without the rows of processes that have ended.
        indexes = [models.Index(fields=["id"], condition=models.Q(state="RUNNING"), name="inbox_worker_running")]

    def __str__(self) -> str:
        return self.worker_id
