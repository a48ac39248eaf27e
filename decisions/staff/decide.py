"""What all decisions of people share: a locked case, one version per request, and no decision upon a stale view."""

from uuid import UUID

from django.db import connection

from decisions.case import Case, lock_case
from decisions.errors import DecidedMeanwhile, DetailsMissing, NotAllowedNow
from decisions.models import DecisionMessage, PacketDecision
from decisions.rules.current_state import STAFF
from decisions.versions import version_of_request, write_versions
from inbox.db.storable import storable
from packets.codes import DetailedStatus
from packets.models import PacketEvent
from packets.move_packet import record_move
from packets.moves import MOVES, Verb


def open_case(
    packet_id: int, *, by: str, reason: str, correlation_id: UUID, **decides: str
) -> tuple[Case, PacketDecision | None]:
    """Lock the case for a person's decision; also the version, if this very request has made one already.

    `decides` are fields that the decision sets. Raises NoSuchPacket, DetailsMissing if `by` or `reason` says nothing or
    can't be stored, and NotAllowedNow if the request has made another decision than this.
    """
    if not by.strip() or not reason.strip():
        raise DetailsMissing("a decision needs to say by whom and why")
    if (storable(by), storable(reason)) != (by, reason):
        raise DetailsMissing("the text is too long, or holds a character that can't be stored")
    case = lock_case(packet_id)
    made = version_of_request(case, correlation_id)
    if made and any(getattr(made, name) != value for name, value in decides.items()):
        raise NotAllowedNow("this request has made another decision already; begin with a new one")
    return case, made


def refuse_if_stale(case: Case, seen: int | None) -> None:
    """Raise DecidedMeanwhile unless the active version is still `seen`, the one that the person decided upon."""
    active = case.active
    if (active.pk if active else None) == seen:
        return
    if active is None:
        raise DecidedMeanwhile("there is no decision; the one that you saw is of another packet")
    raise DecidedMeanwhile(
        f"{active.created_by} has decided meanwhile: {active.decision_type}, operational decision "
        f"{active.operational_decision}, clinical decision {active.clinical_decision}"
    )


def refuse_move(case: Case, verb: Verb) -> None:
    """Raise NotAllowedNow if the packet's status does not allow this."""
    status = DetailedStatus(case.packet.detailed_status)
    if status not in MOVES[verb].froms:
        allowed = ", ".join(sorted(MOVES[verb].froms))
        raise NotAllowedNow(f"the packet is at {status}; this can be done at: {allowed}")


def decide(case: Case, version: PacketDecision, verb: Verb, *, by: str, reason: str) -> PacketDecision:
    """Write the version, move the packet, and record both; returns the version as it is stored."""
    write_versions([version])
    record_move(case.packet, MOVES[verb].to, what=PacketEvent.What.DECIDED, by=by, reason=f"{verb.value}: {reason}")
    version.refresh_from_db()
    return version


# After whatever was said so far, also by a message whose time lies in the future: a person knows what is there.
SAY_NOW = """
SELECT said_at, (extract(epoch FROM said_at) * 1000000)::bigint
  FROM (SELECT greatest(clock_timestamp(), max(created_at) + interval '1 microsecond') AS said_at
          FROM packet_decision_message WHERE packet_id = %s AND kind = 'clinical') AS newest
"""


def staff_answer(case: Case, answer: str, *, is_anew: bool) -> DecisionMessage:
    """A clinical answer that a person gives now; `is_anew` begins a round though the answer is the same."""
    with connection.cursor() as cursor:
        cursor.execute(SAY_NOW, [case.packet.pk])
        said_at, number = cursor.fetchone()
    return DecisionMessage(
        packet=case.packet,
        kind=DecisionMessage.Kind.CLINICAL,
        source=STAFF,
        message_id=number,
        revision=1,
        created_at=said_at,
        said_at=said_at,
        content={"answer": answer} | ({"is_anew": True} if is_anew else {}),
    )
