"""The steps that all decisions of people share: lock the case, refuse a stale view, write one version per request.

Every verb runs in the caller's transaction and takes a Request. A second try with the same `correlation_id` returns the
version of the first. Verbs raise DecisionRefused, whose text says what prevents the decision.
"""

from typing import Any, NotRequired, TypedDict
from uuid import UUID

from decisions.case import Case, lock_case
from decisions.errors import DecidedMeanwhile, DetailsMissing, NotAllowedNow
from decisions.models import PacketDecision
from decisions.versions import next_version, write_versions
from inbox.db.storable import storable
from packets.codes import DetailedStatus
from packets.models import PacketEvent
from packets.move_packet import record_move
from packets.moves import MOVES, Verb


class Request(TypedDict):
    """The person and the reason. `seen` is the key of the version that the person saw, None if there was none."""

    by: str
    reason: str
    correlation_id: UUID
    seen: NotRequired[int | None]


def open_case(packet_id: int, request: Request, **decides: str) -> tuple[Case, PacketDecision | None]:
    """Lock the case; also returns the version, if this very request has made one already.

    `decides` are fields that the decision sets. Raises NoSuchPacket; DetailsMissing if `by` or `reason` is blank or
    can't be stored; NotAllowedNow if the request has made another decision; DecidedMeanwhile if the view is stale.
    """
    by, reason = request["by"], request["reason"]
    if not by.strip() or not reason.strip():
        raise DetailsMissing("a decision needs to say by whom and why")
    if (storable(by), storable(reason)) != (by, reason):
        raise DetailsMissing("the text is too long, or holds a character that can't be stored")
    case = lock_case(packet_id)
    # The version that an earlier try of this request made.
    made = PacketDecision.objects.filter(packet_id=case.packet.pk, correlation_id=request["correlation_id"]).first()
    if made is None:
        _refuse_if_stale(case, request.get("seen"))
    elif any(getattr(made, name) != value for name, value in decides.items()):
        raise NotAllowedNow("this request has made another decision already; make a new one")
    return case, made


def _refuse_if_stale(case: Case, seen: int | None) -> None:
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


def refuse_if_answered(case: Case) -> None:
    """Raise NotAllowedNow if there is a clinical answer."""
    if case.active is not None and case.is_answered:
        raise NotAllowedNow(f"there is a clinical answer already ({case.active.clinical_decision})")


def decide(case: Case, verb: Verb, request: Request, **changes: Any) -> PacketDecision:
    """Write a version with these changes, move the packet, and record both; returns the version as it is stored."""
    by = request["by"]
    version = next_version(case, by=by, correlation_id=request["correlation_id"], **changes)
    write_versions([version])
    reason = f"{verb.value}: {request['reason']}"
    record_move(case.packet, MOVES[verb].to, what=PacketEvent.What.DECIDED, by=by, reason=reason)
    version.refresh_from_db()
    return version
