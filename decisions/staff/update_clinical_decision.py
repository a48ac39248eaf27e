"""Update the clinical decision: a person gives the answer that ClinicalOps would give, or corrects it.

It is one more answer of the case, said now: a new round begins if it is another one than before, and an answer of
ClinicalOps that comes later counts in its turn.
"""

from uuid import UUID

from decisions.case import Case
from decisions.codes import ClinicalDecision, EsmdRequestStatus
from decisions.errors import NotAllowedNow
from decisions.messages.apply import apply_messages
from decisions.messages.case_update import NewMessage
from decisions.models import PacketDecision
from decisions.staff.decide import open_case, refuse_if_stale, staff_answer


def update_clinical_decision(
    packet_id: int,
    *,
    answer: ClinicalDecision,
    by: str,
    reason: str,
    correlation_id: UUID,
    seen: int | None = None,
) -> PacketDecision:
    """Set the clinical decision to `answer`, AFFIRM or NON_AFFIRM.

    The same answer as before begins a new round where the payload failed or the UTN has to be fixed, so that all is
    asked for again; elsewhere it changes nothing, and returns the active version.

    Runs in the caller's transaction; the same `correlation_id` returns the version it made. Raises DecisionRefused, and
    ValueError for an answer that is none.
    """
    if ClinicalDecision(answer) == ClinicalDecision.PENDING:
        raise ValueError("PENDING is no answer")
    case, made = open_case(packet_id, by=by, reason=reason, correlation_id=correlation_id, clinical_decision=answer)
    if made:
        return made
    refuse_if_stale(case, seen)
    refuse_if_closed(case)
    message = staff_answer(case, answer, is_anew=_has_failed(case, answer))
    said = NewMessage(case, message, by=by, reason=reason, correlation_id=correlation_id)
    [applied] = apply_messages([said])
    version = applied.version or case.active
    assert version is not None  # noqa: S101 an answer of a person always counts
    version.refresh_from_db()
    return version


def _has_failed(case: Case, answer: str) -> bool:
    """True if this answer stands, and what had to be done for it failed."""
    active = case.active
    if active is None or active.clinical_decision != answer:
        return False
    return active.esmd_request_status == EsmdRequestStatus.FAILED or active.requires_utn_fix


def refuse_if_closed(case: Case) -> None:
    """Raise NotAllowedNow if no clinical answer can change the case any more."""
    if case.is_closed:
        raise NotAllowedNow(f"the case is closed ({case.packet.detailed_status})")
