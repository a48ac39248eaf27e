"""A job: one row per message, with what arrived, which worker has it and how it ended."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.db import models
from django.db.models.functions import Now

from inbox.fields import ReadableDateTimeField, now
from inbox.statuses import DUE_STATUSES, TROUBLED_STATUSES, Status

# Guards every write of a worker: the lease still holds the row `job`. JobQuerySet.held is the same.
HELD_BY_LEASE = "job.lease_id = %(lease_id)s AND job.status = 'PROCESSING'"


class JobQuerySet(models.QuerySet["InboxJob"]):
    def due(self, source: str, message_types: Iterable[str]) -> "JobQuerySet":
        """Jobs of these types of a source that are due by the database's clock."""
        return self.filter(
            source=source, status__in=DUE_STATUSES, next_attempt_at__lte=Now(), message_type__in=sorted(message_types)
        )

    def held(self, lease_id: UUID, inbox_ids: Iterable[int]) -> "JobQuerySet":
        """The jobs among `inbox_ids` that this lease still holds."""
        return self.filter(inbox_id__any_of=inbox_ids, lease_id=lease_id, status=Status.PROCESSING)

    def lock_keys(self, limit: int | None = None) -> list[int]:
        """Lock at most `limit` of these jobs in key order, skip those that are locked, and return their keys."""
        rows = self.order_by("inbox_id").select_for_update(skip_locked=True).values_list("inbox_id", flat=True)
        return list(rows[:limit])

    def stale(self, age_s: float) -> "JobQuerySet":
        """Jobs whose claim is older than `age_s` seconds, or that far in the future, by the database's clock."""
        age = timedelta(seconds=age_s)
        return self.filter(
            models.Q(locked_at__lt=Now() - age) | models.Q(locked_at__gt=Now() + age), status=Status.PROCESSING
        )

    def claimed_by(self, presence_ids: Iterable[int]) -> "JobQuerySet":
        """Jobs that the worker processes with these ids have claimed."""
        return self.filter(presence_id__any_of=presence_ids, status=Status.PROCESSING)


class InboxJob(models.Model):
    inbox_id = models.BigAutoField(primary_key=True)
    source = models.TextField()
    message_id = models.BigIntegerField()
    revision = models.IntegerField(db_default=1)
    message_type = models.TextField()
    decision_tracking_id = models.UUIDField(null=True)
    channel_type_id = models.BigIntegerField(null=True)
    source_created_at = ReadableDateTimeField(null=True)

    status = models.TextField(choices=Status, db_default=Status.NEW)
    attempt_count = models.IntegerField(db_default=0)
    next_attempt_at = ReadableDateTimeField(db_default=now())
    locked_by = models.TextField(null=True)
    locked_at = ReadableDateTimeField(null=True)
    lease_id = models.UUIDField(null=True, help_text="The id of the last claim; never used twice.")
    presence_id = models.BigIntegerField(
        null=True, help_text="inbox_worker.id of the last claimant, if it has presence."
    )
    is_corrected = models.BooleanField(
        db_default=False, help_text="Its message was corrected by hand: handlers read the newest correction."
    )
    runs_alone = models.BooleanField(
        db_default=False,
        help_text="Claimed alone from now on: its worker died, its claim grew stale, or its lease was released.",
    )
    waiting_since = ReadableDateTimeField(null=True)

    error_kind = models.TextField(null=True)
    last_error = models.TextField(null=True)
    note = models.TextField(null=True, help_text="Why it was ignored, or what it waits for.")
    errors = models.JSONField(
        db_default=models.Value([], models.JSONField()), help_text="One entry per failed attempt."
    )

    started_at = ReadableDateTimeField(null=True)
    finished_at = ReadableDateTimeField(null=True)
    finished_by = models.TextField(null=True)
    created_at = ReadableDateTimeField(db_default=now())
    updated_at = ReadableDateTimeField(db_default=now())

    objects = JobQuerySet.as_manager()

    class Meta:
        db_table = "integration_inbox"
        verbose_name = "job"
        permissions = [
            ("operate_job", "Can requeue, end, release and reschedule jobs"),
            ("correct_job", "Can correct the message of a job"),
            ("reveal_payload", "Can see payloads, which is logged"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["source", "message_id", "revision"], name="inbox_one_job_per_message"),
            models.CheckConstraint(condition=models.Q(status__in=Status.values), name="inbox_status_known"),
            models.CheckConstraint(
                condition=models.Q(
                    status=Status.PROCESSING, locked_by__isnull=False, locked_at__isnull=False, lease_id__isnull=False
                )
                | (~models.Q(status=Status.PROCESSING) & models.Q(locked_by__isnull=True, locked_at__isnull=True)),
                name="inbox_locked_exactly_when_processing",
            ),
            models.CheckConstraint(condition=models.Q(attempt_count__gte=0), name="inbox_attempts_not_negative"),
        ]
        indexes = [
            # A claim reads it in order, and never reads jobs that are not due or have ended.
            models.Index(
                fields=["source", "next_attempt_at", "inbox_id"],
                condition=models.Q(status__in=DUE_STATUSES),
                name="inbox_due",
            ),
            models.Index(
                fields=["locked_at", "inbox_id"], condition=models.Q(status=Status.PROCESSING), name="inbox_claimed"
            ),
            # For lists of few jobs among many. A job that goes from NEW to PROCESSING to DONE enters neither index.
            models.Index(
                fields=["status", "inbox_id"], condition=models.Q(status__in=TROUBLED_STATUSES), name="inbox_troubled"
            ),
            models.Index(
                fields=["error_kind", "inbox_id"],
                condition=models.Q(error_kind__isnull=False),
                name="inbox_error_kind",
            ),
            # For wake, and for searches by case.
            models.Index(fields=["decision_tracking_id"], name="inbox_tracking"),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.message_id}.{self.revision} ({self.status})"
