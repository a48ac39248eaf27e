"""Update the clinical decision: a person gives the answer that ClinicalOps would give, or corrects it.

It is one more answer of the case: a different answer starts a new round, and a later answer of ClinicalOps counts in
its turn.
"""

from typing import Unpack

from django.db import connection

from decisions.case import Case
from decisions.codes import ClinicalDecision, EsmdRequestStatus
from decisions.errors import NotAllowedNow
from decisions.messages.apply import apply_messages
from decisions.messages.case_update import NewMessage
from decisions.models import DecisionMessage, PacketDecision
from decisions.rules.current_state import STAFF
from decisions.staff.decide import Request, open_case

# Sorts after all messages so far, even one whose time is in the future: the person has seen them. But it was said now,
# so that a payload that is written for it counts.
SELECT_TIMES = """
SELECT created_at, clock_timestamp(), (extract(epoch FROM created_at) * 1000000)::bigint
  FROM (SELECT greatest(clock_timestamp(), max(created_at) + interval '1 microsecond') AS created_at
          FROM packet_decision_message WHERE packet_id = %s AND kind = 'clinical') AS newest
"""


def update_clinical_decision(packet_id: int, *, answer: ClinicalDecision, **request: Unpack[Request]) -> PacketDecision:
    """Set the clinical decision to `answer`, AFFIRM or NON_AFFIRM.

    The same answer as before starts a new round where the payload failed or the UTN needs correction, so that both are
    requested again; elsewhere it changes nothing, and returns the active version. Raises DecisionRefused, and
    ValueError for an answer that is none.
    """
    if ClinicalDecision(answer) == ClinicalDecision.PENDING:
        raise ValueError("PENDING is no answer")
    case, made = open_case(packet_id, request, clinical_decision=answer)
    if made:
        return made
    refuse_if_closed(case)
    return give_answer(case, answer, request)


def give_answer(case: Case, answer: str, request: Request) -> PacketDecision:
    """Let the answer of a person take effect now; returns the version that holds it."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_TIMES, [case.packet.pk])
        created_at, said_at, number = cursor.fetchone()
    message = DecisionMessage(
        packet=case.packet,
        kind=DecisionMessage.Kind.CLINICAL,
        source=STAFF,
        message_id=number,
        revision=1,
        created_at=created_at,
        said_at=said_at,
        content={"answer": answer} | ({"is_anew": True} if _has_failed(case, answer) else {}),
    )
    by, reason, correlation_id = request["by"], request["reason"], request["correlation_id"]
    new = NewMessage(case, message, by=by, reason=reason, correlation_id=correlation_id)
    apply_messages([new])
    version = new.version or case.active
    assert version is not None  # noqa: S101 an answer of a person always counts
    version.refresh_from_db()
    return version


def _has_failed(case: Case, answer: str) -> bool:
    """True if this is the answer already, and its payload or its UTN failed."""
    active = case.active
    if active is None or active.clinical_decision != answer:
        return False
    return active.esmd_request_status == EsmdRequestStatus.FAILED or active.requires_utn_fix


def refuse_if_closed(case: Case) -> None:
    """Raise NotAllowedNow if no clinical answer can change the case any more."""
    if case.is_closed:
        raise NotAllowedNow(f"the case is closed ({case.packet.detailed_status})")
