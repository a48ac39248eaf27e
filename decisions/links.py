"""What the pages of jobs show of decisions."""

from collections.abc import Iterable

from django.urls import reverse

from decisions.models import ClinicalOpsMessage, PacketDecision
from decisions.sources import CLINICAL_DECISION, GENERATED_PAYLOAD
from inbox.admin_pages.links import Link
from inbox.models import InboxJob

# The newest of a case; its packet's page shows them all.
VERSIONS = 5


def links(job: InboxJob) -> Iterable[Link]:
    """The newest decision versions of the job's case, and the source row of a job of ClinicalOps."""
    if job.decision_tracking_id:
        versions = PacketDecision.objects.filter(packet__decision_tracking_id=job.decision_tracking_id)
        for pk, is_active in versions.order_by("-pk").values_list("pk", "is_active")[:VERSIONS]:
            url = reverse("admin:decisions_packetdecision_change", args=[pk])
            text = f"version {pk}{', now' if is_active else ''}"
            yield Link("Decision", text, url, "decisions.view_packetdecision")
    is_theirs = job.source in (CLINICAL_DECISION.name, GENERATED_PAYLOAD.name)
    if is_theirs and ClinicalOpsMessage.objects.filter(pk=job.message_id).exists():
        url = reverse("admin:decisions_clinicalopsmessage_change", args=[job.message_id])
        yield Link("Source row", f"message {job.message_id}", url, "decisions.view_clinicalopsmessage")
