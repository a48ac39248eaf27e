"""The codes of decisions; the values are those of ClinicalOps and CMS."""

from django.db import models

from packets.codes import Codes


class DecisionType(Codes):
    APPROVE = "APPROVE"
    DISMISSAL = "DISMISSAL"


class OperationalDecision(Codes):
    PENDING = "PENDING"
    DISMISSAL = "DISMISSAL"
    DISMISSAL_COMPLETE = "DISMISSAL_COMPLETE"
    DECISION_COMPLETE = "DECISION_COMPLETE"


class ClinicalDecision(Codes):
    PENDING = "PENDING"
    AFFIRM = "AFFIRM"
    NON_AFFIRM = "NON_AFFIRM"


class DecisionOutcome(Codes):
    AFFIRM = "AFFIRM"
    NON_AFFIRM = "NON_AFFIRM"
    DISMISSAL = "DISMISSAL"


class DecisionSubtype(Codes):
    DIRECT_PA = "DIRECT_PA"
    STANDARD_PA = "STANDARD_PA"


class PartType(Codes):
    A = "A"
    B = "B"


class DenialReason(Codes):
    MISSING_FIELDS = "MISSING_FIELDS"
    INVALID_PECOS = "INVALID_PECOS"
    INVALID_HETS = "INVALID_HETS"
    PROCEDURE_NOT_SUPPORTED = "PROCEDURE_NOT_SUPPORTED"
    NO_MEDICAL_RECORDS = "NO_MEDICAL_RECORDS"
    OTHER = "OTHER"


class EsmdRequestStatus(Codes):
    NOT_SENT = "NOT_SENT"
    SENT = "SENT"
    ACKED = "ACKED"
    FAILED = "FAILED"


class UtnStatus(Codes):
    NONE = "NONE"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"


class OutboxStatus(models.IntegerChoices):
    """Set to WRITTEN by this project, to the others by the program that reads the outbox."""

    WRITTEN = 1
    VALIDATED = 2
    SENT = 3
    ERROR = 4
