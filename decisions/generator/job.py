"""Requests the payload of a decision from the JSON Generator: jobs of the source `json_generator`.

A job belongs to the decision version that its message_id names, the first of its round. All its attempts send the same
key, so that the generator takes the request once. client.py lists the failure modes.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from decisions.codes import EsmdRequestStatus
from decisions.models import PacketDecision
from decisions.rules.current_state import is_answered
from inbox.api import LockedJob, Outbound, Outcome, ignored

if TYPE_CHECKING:
    from decisions.generator.client import Request


def needs_payload(decision: PacketDecision) -> bool:
    """True while this version is active, has a clinical answer, and nothing was sent to esMD for it."""
    return (
        decision.is_active
        and is_answered(decision.clinical_decision)
        and decision.esmd_request_status == EsmdRequestStatus.NOT_SENT
    )


def prepare(jobs: Sequence[LockedJob]) -> list["Request | Outcome"]:
    """The request of each job whose round still needs its payload."""
    versions = PacketDecision.objects.select_related("packet").only(
        "packet__decision_tracking_id", "decision_round", "is_active", "clinical_decision", "esmd_request_status"
    )
    requested = {
        version.pk: version for version in versions.filter(packet_decision_id__any_of=[job.message_id for job in jobs])
    }
    packet_ids = {version.packet_id for version in requested.values()}
    active = {
        version.packet_id: version for version in versions.filter(is_active=True, packet__packet_id__any_of=packet_ids)
    }
    return [_prepare(requested.get(job.message_id), active) for job in jobs]


def _prepare(version: PacketDecision | None, active: dict[int, PacketDecision]) -> "Request | Outcome":
    from decisions.generator.client import Request

    if version is None:
        return ignored("the decision version no longer exists")
    current = active.get(version.packet_id)
    if current is None:
        return ignored("the packet has no active decision")
    if current.decision_round != version.decision_round:
        return ignored(f"superseded by decision round {current.decision_round}")
    if not needs_payload(current):
        what = f"{current.clinical_decision}, {current.esmd_request_status}"
        return ignored(f"the active decision version needs no payload ({what})")
    return Request(version.packet.decision_tracking_id, f"payload-{version.pk}")


def call(request: "Request") -> Outcome:
    """Send the request once; every failure is an Outcome."""
    # Imported late, as httpx takes a tenth of a second and only callers need it.
    from decisions.generator.client import ask

    return ask(request)


def finish(jobs: Sequence[LockedJob], answers: Sequence[Outcome]) -> Sequence[Outcome]:
    """Nothing to write: the payload arrives as a message."""
    return answers


OUTBOUND = Outbound(prepare=prepare, call=call, finish=finish)
