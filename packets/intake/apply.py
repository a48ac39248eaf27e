"""Writes intakes to packets and documents, a batch at a time.

Lock order: new packets are inserted in the order of their tracking ids, then existing ones are locked by packet_id.
A transaction that waits for a row lock has finished inserting, so two batches can't wait for each other.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from inbox.registry import LockedJob
from packets.codes import DetailedStatus, ValidationStatus
from packets.intake.parse import Intake
from packets.models import Packet, PacketDocument, PacketEvent
from packets.order import order_key

Applied = tuple[LockedJob, Intake]

PACKET_FIELDS = """
    decision_tracking_id uuid, channel_type_id bigint, case_id text,
    beneficiary_first_name text, beneficiary_last_name text, beneficiary_medicare_id text,
    provider_name text, provider_npi text, submission_type text, received_date timestamptz, due_date timestamptz,
    has_documents bool, intake_created_at timestamptz, intake_message_id bigint
"""
PACKET_COLUMNS = ", ".join(line.split()[0] for line in PACKET_FIELDS.split(","))
DOCUMENT_FIELDS = "document_unique_identifier text, file_name text, mime_type text, file_size bigint, blob_path text"
DOCUMENT_COLUMNS = ", ".join(line.split()[0] for line in DOCUMENT_FIELDS.split(","))

# In SQL because bulk_create turns every row into an object and back, which is 4 of 10 parts of the time of an intake.
CREATE = f"""
WITH came AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(came)s::jsonb)
               AS came({PACKET_FIELDS}, validation_status text, job_id bigint, documents jsonb)
), born AS (
    INSERT INTO packet ({PACKET_COLUMNS}, validation_status)
    SELECT {PACKET_COLUMNS}, validation_status FROM came
     ORDER BY decision_tracking_id
        ON CONFLICT (decision_tracking_id) DO NOTHING
    RETURNING packet_id, decision_tracking_id, detailed_status
), document AS (
    INSERT INTO packet_document (packet_id, {DOCUMENT_COLUMNS})
    SELECT born.packet_id, document.*
      FROM born JOIN came USING (decision_tracking_id)
     CROSS JOIN LATERAL jsonb_to_recordset(came.documents) AS document({DOCUMENT_FIELDS})
), event AS (
    INSERT INTO packet_event (packet_id, what, job_id, to_status)
    SELECT born.packet_id, 'created', came.job_id, born.detailed_status
      FROM born JOIN came USING (decision_tracking_id)
)
SELECT decision_tracking_id FROM born
"""

# validation_status follows the newer intake only as long as nobody has begun to validate, and not while a UTN failure
# has the packet validated again.
REPLACE = f"""
WITH came AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(came)s::jsonb)
               AS came({PACKET_FIELDS}, validation_status text, job_id bigint, documents jsonb)
), replaced AS (
    UPDATE packet
       SET ({PACKET_COLUMNS}, updated_at)
         = ({", ".join(f"came.{column}" for column in PACKET_COLUMNS.split(", "))}, now()),
           validation_status = CASE WHEN packet.validation_status = ANY(%(not_begun)s)
                                         AND packet.detailed_status <> %(validated_again)s THEN came.validation_status
                                    ELSE packet.validation_status END
      FROM came
     WHERE packet.decision_tracking_id = came.decision_tracking_id
    RETURNING packet_id, packet.decision_tracking_id, detailed_status
), document AS (
    INSERT INTO packet_document (packet_id, {DOCUMENT_COLUMNS})
    SELECT replaced.packet_id, document.*
      FROM replaced JOIN came USING (decision_tracking_id)
     CROSS JOIN LATERAL jsonb_to_recordset(came.documents) AS document({DOCUMENT_FIELDS})
)
INSERT INTO packet_event (packet_id, what, job_id, from_status, to_status)
SELECT replaced.packet_id, 'intake_replaced', came.job_id, replaced.detailed_status, replaced.detailed_status
  FROM replaced JOIN came USING (decision_tracking_id)
"""


def create_missing(applied: Sequence[Applied]) -> set[UUID]:
    """Create the packets that don't exist yet, with documents; returns their tracking ids."""
    if not applied:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(CREATE, {"came": _as_json(applied)})
        return {tracking_id for (tracking_id,) in cursor.fetchall()}


def update_older(applied: Sequence[Applied]) -> dict[int, str]:
    """Let packets follow the intakes that are newer than theirs; returns why the others were ignored, by inbox_id."""
    if not applied:
        return {}
    packets = {
        packet.decision_tracking_id: packet
        for packet in Packet.objects.filter(decision_tracking_id__in=[job.decision_tracking_id for job, _ in applied])
        .order_by("packet_id")
        .select_for_update(no_key=True)
        .only("packet_id", "decision_tracking_id", "detailed_status", "intake_created_at", "intake_message_id")
    }
    reasons: dict[int, str] = {}
    newer: list[Applied] = []
    events: list[PacketEvent] = []
    for job, intake in applied:
        assert job.decision_tracking_id is not None  # noqa: S101 parse_intake has refused it
        packet = packets[job.decision_tracking_id]
        if reason := _reason_to_ignore(packet, job):
            reasons[job.inbox_id] = reason
            events.append(
                PacketEvent(packet=packet, what=PacketEvent.What.INTAKE_IGNORED, job_id=job.inbox_id, reason=reason)
            )
        else:
            newer.append((job, intake))
    PacketEvent.objects.bulk_create(events)
    if newer:
        replaced = [packets[job.decision_tracking_id].pk for job, _ in newer if job.decision_tracking_id]
        PacketDocument.objects.filter(packet_id__in=replaced).delete()
        not_begun = [ValidationStatus.PENDING_VALIDATION, ValidationStatus.PENDING_MANUAL_REVIEW]
        with connection.cursor() as cursor:
            cursor.execute(
                REPLACE,
                {"came": _as_json(newer), "not_begun": not_begun, "validated_again": DetailedStatus.VALIDATION},
            )
    return reasons


def _reason_to_ignore(packet: Packet, job: LockedJob) -> str | None:
    if packet.is_closed:
        return f"the case is closed ({packet.detailed_status})"
    if packet.intake_message_id is None:
        return None
    applied = order_key(packet.intake_created_at, packet.intake_message_id)
    coming = order_key(job.source_created_at, job.message_id)
    if coming < applied:
        return "a newer intake of the same case has been applied"
    if coming == applied:
        return "this intake has been applied already"
    return None


def _as_json(applied: Sequence[Applied]) -> str:
    return json.dumps([_row(job, intake) for job, intake in applied], default=_json_value)


def _row(job: LockedJob, intake: Intake) -> dict[str, Any]:
    return {
        # vars, not dataclasses.asdict: its deep copy took a third of the time of an intake.
        **vars(intake),
        "documents": [vars(document) for document in intake.documents],
        "decision_tracking_id": job.decision_tracking_id,
        "validation_status": intake.validation_status,
        "has_documents": bool(intake.documents),
        "intake_created_at": job.source_created_at,
        "intake_message_id": job.message_id,
        "job_id": job.inbox_id,
    }


def _json_value(value: UUID | datetime) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
