"""What the pages of jobs show of packets, and how a job is found by its packet's number."""

from collections.abc import Iterable
from uuid import UUID

from django.urls import reverse

from inbox.admin_pages.links import Link
from inbox.models import InboxJob
from packets.models import IntegrationMessage, Packet
from packets.source import INTEGRATION


def links(job: InboxJob) -> Iterable[Link]:
    """The packet of the job's case, and the source row of a job of `integration`."""
    if job.decision_tracking_id:
        packets = Packet.objects.filter(decision_tracking_id=job.decision_tracking_id)
        for packet_id, external_id in packets.values_list("pk", "external_id"):
            url = reverse("admin:packets_packet_change", args=[packet_id])
            yield Link("Packet", external_id, url, "packets.view_packet")
    if job.source == INTEGRATION.name and IntegrationMessage.objects.filter(pk=job.message_id).exists():
        url = reverse("admin:packets_integrationmessage_change", args=[job.message_id])
        yield Link("Source row", f"message {job.message_id}", url, "packets.view_integrationmessage")


def search(text: str) -> Iterable[UUID]:
    """The case of a packet's number, such as SVC-2031-000001."""
    # The driver takes no lone surrogates.
    if not text.isascii():
        return []
    return Packet.objects.filter(external_id=text).values_list("decision_tracking_id", flat=True)
