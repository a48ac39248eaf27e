"""Links from the page of a job to its packet, and the search for jobs by the number of a packet."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Model
from django.urls import reverse

from inbox.admin_pages.links import Link
from inbox.models import InboxJob
from packets.models import IntegrationMessage, Packet
from packets.source import INTEGRATION


def link_to(model: type[Model], pk: int, what: str, text: str) -> Link:
    """A link to the admin page of a row, for those who may view it."""
    app, name = model._meta.app_label, model._meta.model_name
    return Link(what, text, reverse(f"admin:{app}_{name}_change", args=[pk]), f"{app}.view_{name}")


def links(job: InboxJob) -> Iterable[Link]:
    """The packet of the job's case, and the source row of a job of `integration`."""
    if job.decision_tracking_id:
        packets = Packet.objects.filter(decision_tracking_id=job.decision_tracking_id)
        for packet_id, external_id in packets.values_list("pk", "external_id"):
            yield link_to(Packet, packet_id, "Packet", external_id)
    if job.source == INTEGRATION.name and IntegrationMessage.objects.filter(pk=job.message_id).exists():
        yield link_to(IntegrationMessage, job.message_id, "Source row", f"message {job.message_id}")


def search(text: str) -> Iterable[UUID]:
    """The case of a packet's number, such as SVC-2031-000001."""
    # The driver takes no lone surrogates.
    if not text.isascii():
        return []
    return Packet.objects.filter(external_id=text).values_list("decision_tracking_id", flat=True)
