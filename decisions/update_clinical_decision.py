"""Update the clinical decision: a person gives the answer that ClinicalOps would give, or corrects it.

It is one more answer of the case, said now: a new round begins if it is another one than before, and an answer of
ClinicalOps that comes later counts in its turn.
"""

from uuid import UUID

from decisions.codes import ClinicalDecision
from decisions.errors import NotAllowedNow
from decisions.hear import Said, hear
from decisions.models import PacketDecision
from decisions.staff import open_case, refuse_if_stale, staff_answer


def update_clinical_decision(
    packet_id: int,
    *,
    answer: ClinicalDecision,
    by: str,
    reason: str,
    correlation_id: UUID,
    seen: int | None = None,
) -> PacketDecision:
    """Set the clinical decision to `answer`, AFFIRM or NON_AFFIRM; the same as before returns the active version.

    Runs in the caller's transaction; the same `correlation_id` returns the version it made. Raises DecisionRefused, and
    ValueError for an answer that is none.
    """
    if answer == ClinicalDecision.PENDING:
        raise ValueError("PENDING is no answer")
    case, made = open_case(packet_id, by=by, reason=reason, correlation_id=correlation_id)
    if made:
        return made
    refuse_if_stale(case, seen)
    if case.packet.is_closed:
        raise NotAllowedNow(f"the case is closed ({case.packet.detailed_status})")
    said = Said(case, staff_answer(answer), by=by, reason=reason, correlation_id=correlation_id)
    said.message.packet = case.packet
    version = hear([said]).versions.get(packet_id) or case.active
    if version is None or version.clinical_decision != answer:
        raise NotAllowedNow("an answer from the future counts; correct the time of that message first")
    version.refresh_from_db()
    return version
