"""Reads an intake payload of any shape: esMD, Fax, Portal, and the old one nested under `ingest_data`."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from packets.codes import Channel, SubmissionType, ValidationStatus
from packets.intake.documents import Document, parse_documents
from packets.intake.due import due_date, submission_type
from packets.messages import BadMessage, Message, type_name
from packets.values import pick, require_same_tracking_id, short_text, timestamp

CHANNEL_OF_TEXT = {"Portal": Channel.PORTAL, "Fax": Channel.FAX}


@dataclass(frozen=True)
class Intake:
    """What a packet takes from an intake message. Unknown is None. Times are UTC."""

    channel_type_id: int
    case_id: str | None
    beneficiary_first_name: str | None
    beneficiary_last_name: str | None
    beneficiary_medicare_id: str | None
    provider_name: str | None
    provider_npi: str | None
    submission_type: SubmissionType | None
    received_date: datetime | None
    due_date: datetime | None
    documents: tuple[Document, ...]

    @property
    def validation_status(self) -> ValidationStatus:
        """Where its validation begins: with a person if the submission type is a word nobody knows."""
        if self.submission_type is None:
            return ValidationStatus.PENDING_MANUAL_REVIEW
        return ValidationStatus.PENDING_VALIDATION


def parse_intake(message: Message) -> Intake:
    """The intake in a message. Raises BadMessage."""
    job, payload = message.job, message.payload
    if job.decision_tracking_id is None:
        raise BadMessage("decision_tracking_id of the row is null")
    if not isinstance(payload, dict):
        raise BadMessage(f"the payload is {type_name(payload)}; an object is needed")
    if not payload:
        raise BadMessage("the payload is empty")
    outer, inner = _envelope(payload)
    for part in (payload,) if outer is payload else (payload, outer, inner):
        require_same_tracking_id(pick(part, "decision_tracking_id", "decisionTrackingId"), job.decision_tracking_id)
    metadata = _metadata(pick(inner, "submission_metadata", "submissionMetadata"))
    channel = _channel(job.channel_type_id, pick(payload, "message_type", "messageType"))
    fields = _ocr_fields(inner, payload)
    sent_at = timestamp(pick(metadata, "creationTime", "creation_time"))
    received = timestamp(fields.get("Submitted Date")) if channel == Channel.PORTAL else sent_at
    received = received or job.source_created_at
    submission = submission_type(fields.get("Submission Type"))
    return Intake(
        channel_type_id=channel,
        case_id=_case_id(channel, (payload, outer, inner, metadata)),
        beneficiary_first_name=short_text(fields.get("Beneficiary First Name")),
        beneficiary_last_name=short_text(fields.get("Beneficiary Last Name")),
        beneficiary_medicare_id=short_text(fields.get("Beneficiary Medicare ID")),
        provider_name=short_text(fields.get("Facility Provider Name")),
        provider_npi=short_text(fields.get("Facility Provider NPI")),
        submission_type=submission,
        received_date=received,
        due_date=None if received is None else due_date(received.astimezone(UTC), submission),
        documents=parse_documents(pick(inner, "documents")),
    )


def _envelope(payload: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Where ids stand, and where metadata and documents stand: the root, or the old nested shape's two levels."""
    outer = pick(payload, "ingest_data", "ingestData")
    if outer is None:
        return payload, payload
    if not isinstance(outer, dict):
        raise BadMessage(f"ingest_data is {type_name(outer)}; an object is needed")
    inner = pick(outer, "raw_payload", "rawPayload")
    if not isinstance(inner, dict):
        raise BadMessage(f"ingest_data.raw_payload is {type_name(inner)}; an object is needed")
    return outer, inner


def _metadata(value: Any) -> dict[str, Any]:
    if value is None:
        raise BadMessage("submission_metadata is absent")
    if not isinstance(value, dict):
        raise BadMessage(f"submission_metadata is {type_name(value)}; an object is needed")
    if not value:
        raise BadMessage("submission_metadata is empty")
    return value


def _channel(channel_type_id: int | None, text: Any) -> Channel:
    """The row's channel; where it has none, the text's, and esMD where neither says."""
    if not channel_type_id:
        return CHANNEL_OF_TEXT.get(text, Channel.ESMD) if isinstance(text, str) else Channel.ESMD
    if channel_type_id not in Channel.values:
        raise BadMessage(f"channel_type_id is {channel_type_id}, which is none of 1, 2, 3")
    return Channel(channel_type_id)


def _ocr_fields(*places: dict[str, Any]) -> dict[str, Any]:
    """The values of the Portal's cover sheet by field name; empty where there is none or it is malformed."""
    for place in places:
        ocr = place.get("ocr")
        fields = ocr.get("fields") if isinstance(ocr, dict) else None
        if isinstance(fields, dict):
            return {name: field.get("value") for name, field in fields.items() if isinstance(field, dict)}
    return {}


def _case_id(channel: Channel, places: tuple[dict[str, Any], ...]) -> str | None:
    if channel == Channel.FAX:
        return None
    spellings = ("packet_id", "packetId") if channel == Channel.PORTAL else ("esmd_transaction_id", "esmdTransactionId")
    values = (short_text(pick(place, *spellings)) for place in places)
    return next((value for value in values if value is not None), None)
