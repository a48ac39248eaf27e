"""The codes of prior authorization that packets use; other programs and the law set the values."""

from django.db import models


class Codes(models.TextChoices):
    """Choices that pages show as they are: the label of each is its value."""

    @property
    def label(self) -> str:
        return self.value


class Channel(models.IntegerChoices):
    PORTAL = 1, "Portal"
    FAX = 2, "Fax"
    ESMD = 3, "esMD"


class DetailedStatus(Codes):
    PENDING_NEW = "Pending - New"
    INTAKE = "Intake"
    VALIDATION = "Validation"
    PENDING_CLINICAL_REVIEW = "Pending - Clinical Review"
    CLINICAL_DECISION_RECEIVED = "Clinical Decision Received"
    PENDING_UTN = "Pending - UTN"
    UTN_RECEIVED = "UTN Received"
    GENERATE_LETTER_PENDING = "Generate Decision Letter - Pending"
    GENERATE_LETTER_COMPLETE = "Generate Decision Letter - Complete"
    SEND_LETTER_PENDING = "Send Decision Letter - Pending"
    SEND_LETTER_COMPLETE = "Send Decision Letter - Complete"
    DECISION_COMPLETE = "Decision Complete"
    DISMISSAL = "Dismissal"
    DISMISSAL_COMPLETE = "Dismissal Complete"


# No message reopens these.
CLOSED_STATUSES = frozenset(
    [DetailedStatus.DECISION_COMPLETE, DetailedStatus.DISMISSAL, DetailedStatus.DISMISSAL_COMPLETE]
)


class ValidationStatus(Codes):
    PENDING_VALIDATION = "Pending - Validation"
    IN_PROGRESS = "Validation In Progress"
    PENDING_MANUAL_REVIEW = "Pending - Manual Review"
    UPDATED = "Validation Updated"
    COMPLETE = "Validation Complete"
    FAILED = "Validation Failed"


class SubmissionType(Codes):
    STANDARD = "Standard"
    EXPEDITED = "Expedited"


def first_validation_status(submission_type: str | None) -> ValidationStatus:
    """The status that the validation of an intake begins with: a person reviews an unknown submission type."""
    return ValidationStatus.PENDING_VALIDATION if submission_type else ValidationStatus.PENDING_MANUAL_REVIEW
