"""One message at a time through the ORM, with one commit for the claim and one for the effects and DONE."""

import os
from uuid import uuid4

from django.db import transaction
from django.db.models.functions import Now

from inbox.models import InboxJob
from inbox.registry import LockedJob
from inbox.statuses import Status
from packets.intake.parse import parse_intake
from packets.messages import Message
from packets.models import IntegrationMessage, Packet, PacketDocument, PacketEvent


def drain() -> None:
    """Work until nothing is left."""
    passed = 0
    while True:
        message = IntegrationMessage.objects.filter(message_id__gt=passed).order_by("message_id").first()
        if message:
            passed = message.pk
            InboxJob.objects.get_or_create(
                source="integration",
                message_id=message.pk,
                revision=1,
                defaults={
                    "message_type": "intake",
                    "decision_tracking_id": message.decision_tracking_id,
                    "source_created_at": message.created_at,
                    "next_attempt_at": message.created_at,
                },
            )
        if not _claim_and_work() and message is None:
            return


def _claim_and_work() -> bool:
    with transaction.atomic():
        job = (
            InboxJob.objects.due("integration", ["intake"])
            .select_for_update(skip_locked=True)
            .order_by("next_attempt_at", "inbox_id")
            .first()
        )
        if job is None:
            return False
        job.status, job.locked_by, job.locked_at = Status.PROCESSING, str(os.getpid()), Now()
        job.lease_id = uuid4()
        job.attempt_count += 1
        job.save()
    with transaction.atomic():
        held = InboxJob.objects.select_for_update().get(pk=job.pk, lease_id=job.lease_id, status=Status.PROCESSING)
        message = IntegrationMessage.objects.get(pk=held.message_id)
        locked = LockedJob(
            held.inbox_id,
            held.message_id,
            held.revision,
            held.message_type,
            held.decision_tracking_id,
            held.channel_type_id,
            held.source_created_at,
            held.attempt_count,
            0.0,
        )
        intake = parse_intake(Message(locked, message.payload))
        assert held.decision_tracking_id
        packet, _ = Packet.objects.get_or_create(
            decision_tracking_id=held.decision_tracking_id,
            defaults={
                "channel_type_id": intake.channel_type_id,
                "case_id": intake.case_id,
                "submission_type": intake.submission_type,
                "received_date": intake.received_date,
                "due_date": intake.due_date,
                "has_documents": bool(intake.documents),
                "intake_created_at": held.source_created_at,
                "intake_message_id": held.message_id,
            },
        )
        for document in intake.documents:
            PacketDocument.objects.create(
                packet=packet,
                document_unique_identifier=document.document_unique_identifier,
                file_name=document.file_name,
                mime_type=document.mime_type,
                file_size=document.file_size,
                blob_path=document.blob_path,
            )
        PacketEvent.objects.create(packet=packet, what="created", job_id=held.pk)
        held.status, held.locked_by, held.locked_at = Status.DONE, None, None
        held.finished_at, held.finished_by = Now(), job.locked_by
        held.save()
    return True
