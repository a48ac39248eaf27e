"""Links from the page of a job to its decisions."""

from collections.abc import Iterable

from decisions.models import ClinicalOpsMessage, PacketDecision
from decisions.sources import CLINICAL_DECISION, GENERATED_PAYLOAD
from inbox.admin_pages.links import Link
from inbox.models import InboxJob
from packets.links import link_to

# How many are shown, newest first; the page of the packet shows all.
VERSIONS = 5


def links(job: InboxJob) -> Iterable[Link]:
    """The newest decision versions of the job's case, and the source row of a job of ClinicalOps."""
    if job.decision_tracking_id:
        versions = PacketDecision.objects.filter(packet__decision_tracking_id=job.decision_tracking_id)
        for pk, is_active in versions.order_by("-pk").values_list("pk", "is_active")[:VERSIONS]:
            yield link_to(PacketDecision, pk, "Decision", f"version {pk}{', active' if is_active else ''}")
    is_theirs = job.source in (CLINICAL_DECISION.name, GENERATED_PAYLOAD.name)
    if is_theirs and ClinicalOpsMessage.objects.filter(pk=job.message_id).exists():
        yield link_to(ClinicalOpsMessage, job.message_id, "Source row", f"message {job.message_id}")
