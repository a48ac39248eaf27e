"""A prior-authorization request: one packet per decision_tracking_id."""

from django.db import models

from inbox.fields import now
from inbox.models.private import Private
from packets.codes import (
    CLOSED_STATUSES,
    Channel,
    DetailedStatus,
    SubmissionType,
    ValidationStatus,
    first_validation_status,
)

SEE_PEOPLE = "packets.see_people"


def one_of(field: str, choices: type[models.Choices], name: str, *, or_null: bool = False) -> models.CheckConstraint:
    """A CHECK that `field` holds one of the choices."""
    condition = models.Q(**{f"{field}__in": choices.values})
    if or_null:
        condition = models.Q(**{f"{field}__isnull": True}) | condition
    return models.CheckConstraint(condition=condition, name=name)


class NextExternalId(models.Func):
    """SVC-<year>-<number>; the function of migration 0001 takes the number from a sequence."""

    function = "next_packet_external_id"
    output_field = models.TextField()


class Packet(models.Model):
    packet_id = models.BigAutoField(primary_key=True)
    external_id = models.TextField(db_default=NextExternalId())
    decision_tracking_id = models.UUIDField(unique=True)
    case_id = models.TextField(null=True, blank=True)
    channel_type_id = models.BigIntegerField(choices=Channel)
    detailed_status = models.TextField(choices=DetailedStatus, db_default=DetailedStatus.PENDING_NEW)
    validation_status = models.TextField(choices=ValidationStatus, db_default=ValidationStatus.PENDING_VALIDATION)

    # Null where unknown.
    beneficiary_first_name = models.TextField(null=True, blank=True)
    beneficiary_last_name = models.TextField(null=True, blank=True)
    beneficiary_medicare_id = models.TextField(null=True, blank=True)
    provider_name = models.TextField(null=True, blank=True)
    provider_npi = models.TextField(null=True, blank=True)

    submission_type = models.TextField(choices=SubmissionType, null=True, blank=True)
    received_date = models.DateTimeField(null=True)
    due_date = models.DateTimeField(null=True, help_text="Null if the submission type is unknown: manual review.")
    has_documents = models.BooleanField(db_default=False)

    # The intake that these fields come from; an older one changes nothing.
    intake_created_at = models.DateTimeField(null=True)
    intake_message_id = models.BigIntegerField(null=True)

    created_at = models.DateTimeField(db_default=now())
    updated_at = models.DateTimeField(db_default=now())

    private = Private(
        SEE_PEOPLE,
        frozenset(
            [
                "case_id",
                "beneficiary_first_name",
                "beneficiary_last_name",
                "beneficiary_medicare_id",
                "provider_name",
                "provider_npi",
            ]
        ),
    )

    class Meta:
        db_table = "packet"
        permissions = [("see_people", "Can see beneficiaries, providers and other texts of messages")]
        constraints = [
            models.UniqueConstraint(fields=["external_id"], name="packet_external_id_once"),
            one_of("detailed_status", DetailedStatus, "packet_detailed_status_known"),
            one_of("validation_status", ValidationStatus, "packet_validation_status_known"),
            one_of("channel_type_id", Channel, "packet_channel_known"),
            one_of("submission_type", SubmissionType, "packet_submission_type_known", or_null=True),
        ]

    def __str__(self) -> str:
        return self.external_id

    @property
    def is_closed(self) -> bool:
        """True if no message may change it."""
        return self.detailed_status in CLOSED_STATUSES

    @property
    def first_validation_status(self) -> ValidationStatus:
        """The status that validation begins with; a packet that was opened by hand may lack the submission type."""
        has_intake = self.intake_message_id is not None
        return first_validation_status(self.submission_type) if has_intake else ValidationStatus.PENDING_VALIDATION
