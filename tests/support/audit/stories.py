"""A healthy story for tests of the audit, and what an audit says."""

from django.db import connection

from decisions.codes import DenialReason
from decisions.models import PacketDecision, SendClinicalOps, SendIntegration
from decisions.staff.approve import approve
from decisions.staff.dismiss import dismiss
from inbox.models import InboxJob
from inbox.operations.operation import apply
from inbox.operations.verbs import REQUEUE
from packets.models import Packet, PacketEvent
from tests.support.cases import decided, fresh, utn
from tests.support.clinical import write_decision, write_payload
from tests.support.drain import drain_all
from tests.support.rows import esmd, seconds_ago, send, tracking_id
from verification.audit.run import audit


def take_in(number: int) -> Packet:
    """The packet of a case, made by its intake."""
    with connection.cursor() as cursor:
        # In one transaction with a claim, each plan seems dear enough to be compiled, which takes half a second.
        cursor.execute("SET LOCAL jit = off")
    send(esmd(tracking_id(number)), tracking_id(number), created_at=seconds_ago(600))
    drain_all()
    return Packet.objects.get(decision_tracking_id=tracking_id(number))


def tell_story(number: int = 1) -> Packet:
    """A case from its intake to its letter, by the product's own verbs."""
    packet = take_in(number)
    decided(approve, packet)
    write_decision(number)
    drain_all()
    write_payload(number)
    drain_all()
    utn(number)
    drain_all()
    return fresh(packet)


def tell_stories() -> Packet:
    """The case 1 with its letter, beside others that were dismissed, ignored, waited, died and were requeued."""
    packet = tell_story(1)
    decided(
        dismiss,
        take_in(2),
        denial_reason=DenialReason.OTHER,
        denial_details={"reason": "a test of the audit, invented"},
    )
    write_decision(2)
    utn(3)
    send({"message_type": "no such type"}, tracking_id(4))
    drain_all()
    apply(REQUEUE, InboxJob.objects.filter(status="DEAD"), who="ada", reason="a test", limit=10)
    drain_all()
    return packet


def story(packet: Packet) -> dict:
    """All that became of the case of this packet, but keys and times."""
    case = {"decision_tracking_id": packet.decision_tracking_id}
    versions = PacketDecision.objects.filter(packet=packet).order_by("pk")
    sent = [*SendIntegration.objects.filter(**case), *SendClinicalOps.objects.filter(**case)]
    return {
        "packet": (packet.detailed_status, packet.validation_status, packet.received_date, packet.submission_type),
        "versions": [
            (v.decision_round, v.is_active, v.decision_outcome, v.utn_status, v.esmd_request_status) for v in versions
        ],
        "events": list(PacketEvent.objects.filter(packet=packet).order_by("pk").values_list("what", "to_status")),
        "jobs": list(
            InboxJob.objects.filter(**case)
            .order_by("source", "message_id")
            .values_list("source", "message_type", "status", "attempt_count", "note", "errors")
        ),
        "sent": sorted((row.payload["message_type"], row.message_status_id) for row in sent),
    }


def found(since=None, **options) -> dict[str, list[str]]:
    """The findings of an audit: the rows that each finding names, by what was looked for."""
    return {finding.check: finding.rows for finding in audit(since=since, say=lambda text: None, **options)}
