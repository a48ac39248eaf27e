"""Writes intakes to packets and documents, a batch at a time.

Lock order: new packets are inserted in the order of their tracking ids, then existing ones are locked by packet_id.
A transaction that waits for a row lock has finished inserting, so two batches can't wait for each other.
"""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection

from inbox.api import LockedJob
from packets.codes import DetailedStatus, ValidationStatus, first_validation_status
from packets.intake.parse import Intake
from packets.models import Packet, PacketDocument, PacketEvent
from packets.order import order_key

NewIntake = tuple[LockedJob, Intake]

PACKET_FIELDS = """
    decision_tracking_id uuid, channel_type_id bigint, case_id text,
    beneficiary_first_name text, beneficiary_last_name text, beneficiary_medicare_id text,
    provider_name text, provider_npi text, submission_type text, received_date timestamptz, due_date timestamptz,
    has_documents bool, intake_created_at timestamptz, intake_message_id bigint
"""
DOCUMENT_FIELDS = "document_unique_identifier text, file_name text, mime_type text, file_size bigint, blob_path text"


def _columns(fields: str) -> list[str]:
    return [field.split()[0] for field in fields.split(",")]


PACKET_COLUMNS = ", ".join(_columns(PACKET_FIELDS))
DOCUMENT_COLUMNS = ", ".join(_columns(DOCUMENT_FIELDS))


def _write(packets: str, *, what: PacketEvent.What) -> str:
    """The statement that writes packets from rows `came`, with their documents and a line of history each."""
    return f"""
WITH came AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(came)s::jsonb)
               AS came({PACKET_FIELDS}, validation_status text, job_id bigint, documents jsonb)
), written AS (
    {packets}
), document AS (
    INSERT INTO packet_document (packet_id, {DOCUMENT_COLUMNS})
    SELECT written.packet_id, document.*
      FROM written JOIN came USING (decision_tracking_id)
     CROSS JOIN LATERAL jsonb_to_recordset(came.documents) AS document({DOCUMENT_FIELDS})
), event AS (
    INSERT INTO packet_event (packet_id, what, job_id, from_status, to_status)
    SELECT written.packet_id, '{what}', came.job_id, written.from_status, written.to_status
      FROM written JOIN came USING (decision_tracking_id)
)
SELECT decision_tracking_id FROM written
"""


# In SQL because bulk_create turns every row into an object and back, which is 4 of 10 parts of the time of an intake.
CREATE_PACKETS = _write(
    f"""
    INSERT INTO packet ({PACKET_COLUMNS}, validation_status)
    SELECT {PACKET_COLUMNS}, validation_status FROM came
     ORDER BY decision_tracking_id
        ON CONFLICT (decision_tracking_id) DO NOTHING
    RETURNING packet_id, decision_tracking_id, NULL::text AS from_status, detailed_status AS to_status
    """,
    what=PacketEvent.What.CREATED,
)
# validation_status follows the newer intake only as long as nobody has begun to validate, and not while a UTN failure
# has the packet validated again.
REPLACE_PACKETS = _write(
    f"""
    UPDATE packet
       SET ({PACKET_COLUMNS}, updated_at)
         = ({", ".join(f"came.{column}" for column in _columns(PACKET_FIELDS))}, now()),
           validation_status = CASE WHEN packet.validation_status = ANY(%(not_begun)s)
                                         AND packet.detailed_status <> %(validated_again)s THEN came.validation_status
                                    ELSE packet.validation_status END
      FROM came
     WHERE packet.decision_tracking_id = came.decision_tracking_id
    RETURNING packet_id, packet.decision_tracking_id, detailed_status AS from_status, detailed_status AS to_status
    """,
    what=PacketEvent.What.INTAKE_REPLACED,
)


def create_missing(intakes: Sequence[NewIntake]) -> set[UUID]:
    """Create the packets that don't exist yet, with documents; returns their tracking ids."""
    if not intakes:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(CREATE_PACKETS, {"came": _as_json(intakes)})
        return {tracking_id for (tracking_id,) in cursor.fetchall()}


def update_older(intakes: Sequence[NewIntake]) -> dict[int, str]:
    """Let packets follow the intakes that are newer than theirs; returns why the others were ignored, by inbox_id.

    Locks the packets of all of them, in key order.
    """
    if not intakes:
        return {}
    tracking_ids = [job.decision_tracking_id for job, _ in intakes if job.decision_tracking_id]
    locked = Packet.objects.filter(decision_tracking_id__in=tracking_ids).select_for_update(no_key=True)
    fields = ("packet_id", "decision_tracking_id", "detailed_status", "intake_created_at", "intake_message_id")
    packets: dict[UUID | None, Packet] = {
        packet.decision_tracking_id: packet for packet in locked.order_by("packet_id").only(*fields)
    }
    reasons: dict[int, str] = {}
    newer: list[NewIntake] = []
    events: list[PacketEvent] = []
    for job, intake in intakes:
        packet = packets[job.decision_tracking_id]
        if reason := _reason_to_ignore(packet, job):
            reasons[job.inbox_id] = reason
            what = PacketEvent.What.INTAKE_IGNORED
            events.append(PacketEvent(packet=packet, what=what, job_id=job.inbox_id, reason=reason))
        else:
            newer.append((job, intake))
    PacketEvent.objects.bulk_create(events)
    if newer:
        replaced = [packets[job.decision_tracking_id].pk for job, _ in newer]
        PacketDocument.objects.filter(packet_id__in=replaced).delete()
        not_begun = [ValidationStatus.PENDING_VALIDATION, ValidationStatus.PENDING_MANUAL_REVIEW]
        values: dict[str, Any] = {
            "came": _as_json(newer),
            "not_begun": not_begun,
            "validated_again": DetailedStatus.VALIDATION,
        }
        with connection.cursor() as cursor:
            cursor.execute(REPLACE_PACKETS, values)
    return reasons


def _reason_to_ignore(packet: Packet, job: LockedJob) -> str | None:
    if packet.is_closed:
        return f"the case is closed ({packet.detailed_status})"
    if packet.intake_message_id is None:
        return None
    applied = order_key(packet.intake_created_at, packet.intake_message_id)
    new = order_key(job.source_created_at, job.message_id)
    if new < applied:
        return "a newer intake of the same case has been applied"
    return "this intake has been applied already" if new == applied else None


def _as_json(intakes: Sequence[NewIntake]) -> str:
    return json.dumps([_row(job, intake) for job, intake in intakes], default=str)


def _row(job: LockedJob, intake: Intake) -> dict[str, Any]:
    return {
        # vars, not dataclasses.asdict: its deep copy took a third of the time of an intake.
        **vars(intake),
        "documents": [vars(document) for document in intake.documents],
        "decision_tracking_id": job.decision_tracking_id,
        "validation_status": first_validation_status(intake.submission_type),
        "has_documents": bool(intake.documents),
        "intake_created_at": job.source_created_at,
        "intake_message_id": job.message_id,
        "job_id": job.inbox_id,
    }
