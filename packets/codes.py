"""The codes of prior authorization that packets use; the values are other programs' and the law's, not ours."""

from django.db import models


class Channel(models.IntegerChoices):
    PORTAL = 1, "Portal"
    FAX = 2, "Fax"
    ESMD = 3, "esMD"


class MessageType(models.TextChoices):
    INTAKE = "intake", "Intake"
    UTN_SUCCESS = "utn_success", "UTN success"
    UTN_FAIL = "utn_fail", "UTN fail"
    # Neither message_type_id nor the text says what it is, or they contradict each other.
    UNKNOWN = "unknown", "Unknown"


class DetailedStatus(models.TextChoices):
    PENDING_NEW = "Pending - New", "Pending - New"
    INTAKE = "Intake", "Intake"
    VALIDATION = "Validation", "Validation"
    PENDING_CLINICAL_REVIEW = "Pending - Clinical Review", "Pending - Clinical Review"
    CLINICAL_DECISION_RECEIVED = "Clinical Decision Received", "Clinical Decision Received"
    PENDING_UTN = "Pending - UTN", "Pending - UTN"
    UTN_RECEIVED = "UTN Received", "UTN Received"
    GENERATE_LETTER_PENDING = "Generate Decision Letter - Pending", "Generate Decision Letter - Pending"
    GENERATE_LETTER_COMPLETE = "Generate Decision Letter - Complete", "Generate Decision Letter - Complete"
    SEND_LETTER_PENDING = "Send Decision Letter - Pending", "Send Decision Letter - Pending"
    SEND_LETTER_COMPLETE = "Send Decision Letter - Complete", "Send Decision Letter - Complete"
    DECISION_COMPLETE = "Decision Complete", "Decision Complete"
    DISMISSAL = "Dismissal", "Dismissal"
    DISMISSAL_COMPLETE = "Dismissal Complete", "Dismissal Complete"


# No message re-opens these.
CLOSED_STATUSES = frozenset(
    [DetailedStatus.DECISION_COMPLETE, DetailedStatus.DISMISSAL, DetailedStatus.DISMISSAL_COMPLETE]
)


class ValidationStatus(models.TextChoices):
    PENDING_VALIDATION = "Pending - Validation", "Pending - Validation"
    IN_PROGRESS = "Validation In Progress", "Validation In Progress"
    PENDING_MANUAL_REVIEW = "Pending - Manual Review", "Pending - Manual Review"
    UPDATED = "Validation Updated", "Validation Updated"
    COMPLETE = "Validation Complete", "Validation Complete"
    FAILED = "Validation Failed", "Validation Failed"


class SubmissionType(models.TextChoices):
    STANDARD = "Standard", "Standard"
    EXPEDITED = "Expedited", "Expedited"
