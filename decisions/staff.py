"""What all decisions of people share: a locked case, one version per request, and no decision upon a stale view."""

from uuid import UUID

from django.db import connection

from decisions.case import Case, lock_case
from decisions.errors import DecidedMeanwhile, DetailsMissing, NotAllowedNow
from decisions.models import DecisionMessage, PacketDecision
from decisions.standing import STAFF
from decisions.versions import version_of_request, write_versions
from inbox.storable import storable
from packets.codes import DetailedStatus
from packets.models import PacketEvent
from packets.move_packet import record_move
from packets.moves import MOVES, Verb


def open_case(packet_id: int, *, by: str, reason: str, correlation_id: UUID) -> tuple[Case, PacketDecision | None]:
    """Lock the case for a person's decision; also the version, if this very request has made one already.

    Raises NoSuchPacket, and DetailsMissing if `by` or `reason` says nothing.
    """
    if not by.strip() or not storable(reason).strip():
        raise DetailsMissing("a decision needs to say by whom and why")
    case = lock_case(packet_id)
    return case, version_of_request(case, correlation_id)


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


def staff_answer(answer: str) -> DecisionMessage:
    """A clinical answer that a person gives, as of now by the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now(), (extract(epoch FROM now()) * 1000000)::bigint")
        said_at, number = cursor.fetchone()
    return DecisionMessage(
        kind=DecisionMessage.Kind.CLINICAL,
        source=STAFF,
        message_id=number,
        revision=1,
        created_at=said_at,
        said_at=said_at,
        content={"answer": answer},
    )
