"""The codes of decisions; the values are those of ClinicalOps and CMS."""

from django.db import models


class DecisionType(models.TextChoices):
    APPROVE = "APPROVE", "APPROVE"
    DISMISSAL = "DISMISSAL", "DISMISSAL"


class OperationalDecision(models.TextChoices):
    PENDING = "PENDING", "PENDING"
    DISMISSAL = "DISMISSAL", "DISMISSAL"
    DISMISSAL_COMPLETE = "DISMISSAL_COMPLETE", "DISMISSAL_COMPLETE"
    DECISION_COMPLETE = "DECISION_COMPLETE", "DECISION_COMPLETE"


class ClinicalDecision(models.TextChoices):
    PENDING = "PENDING", "PENDING"
    AFFIRM = "AFFIRM", "AFFIRM"
    NON_AFFIRM = "NON_AFFIRM", "NON_AFFIRM"


class DecisionOutcome(models.TextChoices):
    AFFIRM = "AFFIRM", "AFFIRM"
    NON_AFFIRM = "NON_AFFIRM", "NON_AFFIRM"
    DISMISSAL = "DISMISSAL", "DISMISSAL"


class DecisionSubtype(models.TextChoices):
    DIRECT_PA = "DIRECT_PA", "DIRECT_PA"
    STANDARD_PA = "STANDARD_PA", "STANDARD_PA"


class PartType(models.TextChoices):
    A = "A", "A"
    B = "B", "B"


class DenialReason(models.TextChoices):
    MISSING_FIELDS = "MISSING_FIELDS", "MISSING_FIELDS"
    INVALID_PECOS = "INVALID_PECOS", "INVALID_PECOS"
    INVALID_HETS = "INVALID_HETS", "INVALID_HETS"
    PROCEDURE_NOT_SUPPORTED = "PROCEDURE_NOT_SUPPORTED", "PROCEDURE_NOT_SUPPORTED"
    NO_MEDICAL_RECORDS = "NO_MEDICAL_RECORDS", "NO_MEDICAL_RECORDS"
    OTHER = "OTHER", "OTHER"


class EsmdRequestStatus(models.TextChoices):
    NOT_SENT = "NOT_SENT", "NOT_SENT"
    SENT = "SENT", "SENT"
    ACKED = "ACKED", "ACKED"
    FAILED = "FAILED", "FAILED"


class UtnStatus(models.TextChoices):
    NONE = "NONE", "NONE"
    SUCCESS = "SUCCESS", "SUCCESS"
    FAILED = "FAILED", "FAILED"


class OutboxStatus(models.IntegerChoices):
    """Set to WRITTEN by this project, to the others by the program that reads the outbox."""

    WRITTEN = 1
    VALIDATED = 2
    SENT = 3
    ERROR = 4
