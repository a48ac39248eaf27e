"""What others are told, in the transaction that decides it, each thing once: the dedupe key sees to that."""

from collections.abc import Iterable

from decisions.case import Case
from decisions.codes import UtnStatus
from decisions.models import PacketDecision, SendClinicalOps, SendIntegration
from decisions.rules.current_state import is_answered
from inbox.engine.enqueue import enqueue
from packets.models import Packet

# Each decision version that needs a payload is a job of this source; its message id is the version's key.
PAYLOAD_SOURCE = "json_generator"
PAYLOAD_TYPE = "generate_payload"

Decided = tuple[Case, PacketDecision]


def request_clinical_review(packet: Packet, version: PacketDecision) -> None:
    """Ask ClinicalOps to review the packet: once in each round that begins with an approval."""
    tracking_id = packet.decision_tracking_id
    SendClinicalOps.objects.get_or_create(
        dedupe_key=f"clinical_review:{packet.pk}:{version.decision_round}",
        defaults={
            "decision_tracking_id": tracking_id,
            "payload": {
                "message_type": "CLINICAL_REVIEW_REQUEST",
                "decision_tracking_id": str(tracking_id),
                "packet_id": packet.external_id,
            },
        },
    )


def request_letters(decided: Iterable[Decided]) -> None:
    """Ask Integration for the letter of each decision whose UTN is there: one per round."""
    SendIntegration.objects.bulk_create(
        [
            SendIntegration(
                decision_tracking_id=case.packet.decision_tracking_id,
                dedupe_key=f"letter:{case.packet.pk}:{version.decision_round}",
                payload={
                    "message_type": "LETTER_REQUEST",
                    "decision_tracking_id": str(case.packet.decision_tracking_id),
                    "packet_id": case.packet.external_id,
                    "decision_round": version.decision_round,
                    "decision_outcome": version.decision_outcome,
                    "unique_tracking_number": version.utn,
                },
            )
            for case, version in decided
            if version.utn_status == UtnStatus.SUCCESS and is_answered(version.clinical_decision)
        ],
        ignore_conflicts=True,
    )


def request_payloads(decided: Iterable[Decided]) -> None:
    """Have a payload generated for each of these versions that begins a round."""
    enqueue(
        PAYLOAD_SOURCE,
        PAYLOAD_TYPE,
        [(version.pk, case.packet.decision_tracking_id) for case, version in decided if _begins_round(case, version)],
    )


def _begins_round(case: Case, version: PacketDecision) -> bool:
    """True for the first version of a round that has an answer."""
    is_new = not case.is_answered or case.active is None or case.active.decision_round != version.decision_round
    return is_new and is_answered(version.clinical_decision)
