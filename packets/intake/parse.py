"""Reads an intake payload of any shape: esMD, Fax, Portal, and the old one nested under `ingest_data`."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from packets.codes import Channel, SubmissionType
from packets.intake.documents import Document, parse_documents
from packets.intake.due import due_date, submission_type
from packets.messages import Message
from packets.values import BadMessage, pick, require_same_tracking_id, required, short_text, timestamp

CHANNEL_OF_TEXT = {"Portal": Channel.PORTAL, "Fax": Channel.FAX}


@dataclass(frozen=True)
class Intake:
    """The fields that a packet takes from an intake message; None is unknown. Times are UTC."""

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


def parse_intake(message: Message) -> Intake:
    """The intake in a message. Raises BadMessage."""
    job, payload = message.job, message.as_object()
    if not payload:
        raise BadMessage("the message is empty")
    outer, inner = _envelope(payload)
    if outer is not payload:
        for part in (outer, inner):
            require_same_tracking_id(part, job.decision_tracking_id)
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
    """The object with the ids, and the one with metadata and documents: the root, or two levels of the old shape."""
    outer = pick(payload, "ingest_data", "ingestData")
    if outer is None:
        return payload, payload
    outer = required(outer, dict, "ingest_data")
    return outer, required(pick(outer, "raw_payload", "rawPayload"), dict, "ingest_data.raw_payload")


def _metadata(value: Any) -> dict[str, Any]:
    if value is None:
        raise BadMessage("submission_metadata is absent")
    metadata = required(value, dict, "submission_metadata")
    if not metadata:
        raise BadMessage("submission_metadata is empty")
    return metadata


def _channel(channel_type_id: int | None, text: Any) -> Channel:
    """The row's channel; without one, the channel of the text; esMD if neither names one."""
    if not channel_type_id:
        return CHANNEL_OF_TEXT.get(text, Channel.ESMD) if isinstance(text, str) else Channel.ESMD
    if channel_type_id not in Channel.values:
        raise BadMessage(f"channel_type_id must be one of 1, 2, 3, got {channel_type_id}")
    return Channel(channel_type_id)


def _ocr_fields(*places: dict[str, Any]) -> dict[str, Any]:
    """The values of the Portal's cover sheet by field name; empty if it is absent or malformed."""
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
