"""Requests to other programs, in the transaction that decides them; the dedupe key makes each happen once."""

from collections.abc import Iterable, Mapping

from decisions.case import Case
from decisions.codes import UtnStatus
from decisions.models import PacketDecision, SendClinicalOps, SendIntegration
from decisions.rules.current_state import is_answered
from inbox.api import enqueue
from packets.models import Packet

# Each decision version that needs a payload is a job of this source; its message id is the version's key.
PAYLOAD_SOURCE = "json_generator"
PAYLOAD_TYPE = "generate_payload"

Decided = tuple[Case, PacketDecision]


def request_clinical_review(packet: Packet, version: PacketDecision) -> None:
    """Ask ClinicalOps to review the packet: once in each round that begins with an approval."""
    SendClinicalOps.objects.get_or_create(
        dedupe_key=f"clinical_review:{packet.pk}:{version.decision_round}",
        defaults={
            "decision_tracking_id": packet.decision_tracking_id,
            "payload": {"message_type": "CLINICAL_REVIEW_REQUEST", **_names(packet)},
        },
    )


def request_letters(decided: Iterable[Decided]) -> None:
    """Ask Integration for the letter of each decision that has its UTN: one per round."""
    letters = [
        SendIntegration(
            decision_tracking_id=case.packet.decision_tracking_id,
            dedupe_key=f"letter:{case.packet.pk}:{version.decision_round}",
            payload={
                "message_type": "LETTER_REQUEST",
                **_names(case.packet),
                "decision_round": version.decision_round,
                "decision_outcome": version.decision_outcome,
                "unique_tracking_number": version.utn,
            },
        )
        for case, version in decided
        if version.utn_status == UtnStatus.SUCCESS and is_answered(version.clinical_decision)
    ]
    SendIntegration.objects.bulk_create(letters, ignore_conflicts=True)


def request_payloads(decided: Iterable[Decided], delays_s: Mapping[int, float]) -> None:
    """Enqueue a request to the JSON Generator for each version that is the first of a round with an answer.

    `delays_s` are the seconds after which to ask, by the key of the version; at once without.
    """
    versions = [
        (version.pk, case.packet.decision_tracking_id)
        for case, version in decided
        if is_answered(version.clinical_decision) and not _continues_round(case, version)
    ]
    enqueue(PAYLOAD_SOURCE, PAYLOAD_TYPE, versions, delays_s)


def _continues_round(case: Case, version: PacketDecision) -> bool:
    return case.active is not None and case.is_answered and case.active.decision_round == version.decision_round


def _names(packet: Packet) -> dict[str, str]:
    return {"decision_tracking_id": str(packet.decision_tracking_id), "packet_id": packet.external_id}
