"""Hears what messages and people say of cases: keeps it, and lets the decision follow from all that was said.

Set-based: any number of messages of any number of cases, in the caller's transaction, which has locked the packets
(decisions/case.py). A case gets at most one new version, and none if what was said changes nothing. In the same
transaction the packet moves, its history gets a line per message, outboxes and payload jobs are written, and what waits
is woken.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import NAMESPACE_OID, UUID, uuid5

from decisions.case import Case
from decisions.codes import EsmdRequestStatus, UtnStatus
from decisions.models import DecisionMessage, PacketDecision
from decisions.outbox import request_letters, request_payloads
from decisions.rules.current_state import (
    FIELDS,
    CurrentState,
    Kind,
    counting_messages,
    current_state,
    is_answered,
    of_earlier_rounds,
)
from decisions.rules.inferred_messages import inferred
from decisions.versions import has_decision, next_version, write_versions
from inbox.engine.wake import wake
from packets.codes import DetailedStatus, ValidationStatus
from packets.models import PacketEvent
from packets.move_packets import Moved, move_packets
from packets.moves import MOVES, Verb

# Which message it was does not make a decision another one.
SAYS_WHICH = frozenset(["clinical_created_at", "clinical_message_id", "utn_created_at", "utn_message_id"])
SAME = "it says what is known already"
ENDS = "but what was said before it no longer counts"
NOT_SENT = EsmdRequestStatus.NOT_SENT
NEWER = {
    Kind.CLINICAL: "a newer clinical answer counts",
    Kind.PAYLOAD: "a newer payload counts, or it was made for an earlier round",
    Kind.UTN: "a newer UTN answer counts, or it was said in an earlier round",
}


@dataclass(frozen=True, slots=True)
class NewMessage:
    """One message of one case. `by` is a person, or None for a job; `correlation_id` names the request."""

    case: Case
    message: DecisionMessage
    job_id: int | None = None
    by: str | None = None
    reason: str | None = None
    correlation_id: UUID | None = None

    @property
    def request_id(self) -> UUID:
        """The same for every try of the same message."""
        return self.correlation_id or uuid5(NAMESPACE_OID, str(self.message))


class Applied(NamedTuple):
    """Why each message was ignored, None if it counts, in their order; and the versions made, by packet."""

    reasons: list[str | None]
    versions: dict[int, PacketDecision]


def apply_messages(said: Sequence[NewMessage]) -> Applied:
    """Let these messages take effect."""
    if not said:
        return Applied([], {})
    by_packet: dict[int, list[NewMessage]] = {}
    for item in said:
        by_packet.setdefault(item.case.packet.pk, []).append(item)
    known: dict[int, list[DecisionMessage]] = {packet_id: [] for packet_id in by_packet}
    for message in DecisionMessage.objects.filter(packet__packet_id__any_of=by_packet):
        known[message.packet_id].append(message)

    reasons: dict[int, str | None] = {}
    kept: list[DecisionMessage] = []
    decided: list[tuple[Case, PacketDecision]] = []
    moved: list[Moved] = []
    movers: set[int] = set()
    for packet_id, items in by_packet.items():
        update = _CaseUpdate(items[0].case, known[packet_id])
        reasons |= update.apply(items)
        movers.add(id(update.mover))
        kept += update.kept
        if update.version:
            decided.append((update.case, update.version))
        moved.append(update.moved())

    DecisionMessage.objects.bulk_create(kept)
    write_versions([version for _, version in decided])
    move_packets(moved)
    PacketEvent.objects.bulk_create(_events(said, reasons, movers, {move.packet.pk: move for move in moved}))
    request_letters(decided)
    request_payloads(decided)
    wake(_newly_answered(decided), why="a clinical answer has come")
    return Applied([reasons[id(item)] for item in said], {case.packet.pk: version for case, version in decided})


class _CaseUpdate:
    """One case: what it knew, what was said now, and what follows."""

    def __init__(self, case: Case, known: list[DecisionMessage]) -> None:
        self.case = case
        # What is implied is kept as if it had been said: later it could not be told from the version any more.
        self.kept = inferred(case.active, known)
        self.known = known + self.kept
        self.version: PacketDecision | None = None
        self.to: DetailedStatus | None = None
        self.mover: NewMessage | None = None

    def apply(self, items: Sequence[NewMessage]) -> dict[int, str | None]:
        """Decide; returns why each item was ignored, by its id()."""
        if self.case.is_closed:
            self.kept = []
            return dict.fromkeys(map(id, items), f"the case is closed ({self.case.packet.detailed_status})")
        keys = {_key(message) for message in self.known}
        fresh: list[NewMessage] = []
        for item in items:
            if _key(item.message) not in keys:
                keys.add(_key(item.message))
                fresh.append(item)
        self.kept += [item.message for item in fresh]
        everything = self.known + [item.message for item in fresh]
        now = current_state(everything)
        if now and fresh:
            self._decide(now, self._ends_round(now, everything, fresh), fresh)
        counts = counting_messages(everything)
        is_fresh = set(map(id, fresh))
        return {id(item): self._why_not(item, counts, id(item) in is_fresh) for item in items}

    def _why_not(self, item: NewMessage, counts: dict[str, DecisionMessage], is_fresh: bool) -> str | None:
        if not is_fresh:
            return "this message has been applied already"
        counted = counts.get(item.message.kind)
        if counted is item.message:
            return None if self.version else SAME
        is_same = counted is not None and counted.content == item.message.content
        why = SAME if is_same else NEWER[Kind(item.message.kind)]
        return f"{why}; {ENDS}" if item is self.mover else why

    def _decide(self, now: CurrentState, is_new_round: bool, fresh: Sequence[NewMessage]) -> None:
        changes = self._changes(now)
        active = self.case.active
        if active is not None and is_new_round:
            changes["decision_round"] = active.decision_round + 1
        if not changes:
            return
        self.mover = fresh[-1]
        by = self.mover.by or f"job:{self.mover.job_id}"
        self.version = next_version(self.case, by=by, correlation_id=self.mover.request_id, **changes)
        verb = _stage(self.version)
        if verb and (is_new_round or active is None or verb != _stage(active)):
            self.to = MOVES[verb].to

    def _changes(self, now: CurrentState) -> dict[str, Any]:
        """The fields that change; empty if only the number of the message would."""
        active = self.case.active
        if active is None or not has_decision(self.case):
            return {name: getattr(now, name) for name in FIELDS}
        changes = {name: getattr(now, name) for name in FIELDS if getattr(now, name) != getattr(active, name)}
        return {} if changes.keys() <= SAYS_WHICH else changes

    def _ends_round(
        self, now: CurrentState, everything: Sequence[DecisionMessage], fresh: Sequence[NewMessage]
    ) -> bool:
        """True if another round begins: by another answer, or because what was told in this one no longer counts."""
        active = self.case.active
        if active is None or not self.case.is_answered:
            return False
        if now.clinical_decision != active.clinical_decision:
            return True
        earlier = of_earlier_rounds(everything)
        before = of_earlier_rounds(self.known)
        dropped = [message.kind for message in earlier if message in self.known and message not in before]
        if Kind.UTN in dropped:
            return True
        # A payload that comes too late for its round has spent the request of this one: it has to be asked for again.
        came_late = any(item.message in earlier and item.message.kind == Kind.PAYLOAD for item in fresh)
        is_anew = any(item.message.content.get("is_anew") for item in fresh)
        return is_anew or ((Kind.PAYLOAD in dropped or came_late) and now.esmd_request_status == NOT_SENT)

    def moved(self) -> Moved:
        """Where the packet goes, and how its validation goes on."""
        packet, active = self.case.packet, self.case.active
        was_to_be_fixed = bool(active and active.requires_utn_fix)
        validation = packet.validation_status
        if self.version and self.version.requires_utn_fix:
            if not active or _failure(self.version) != _failure(active):
                validation = ValidationStatus.PENDING_VALIDATION
        elif self.version and was_to_be_fixed and validation == ValidationStatus.PENDING_VALIDATION:
            validation = packet.first_validation_status
        return Moved(packet, self.to or DetailedStatus(packet.detailed_status), ValidationStatus(validation))


def _key(message: DecisionMessage) -> tuple:
    return (message.kind, message.source, message.message_id, message.revision)


def _failure(version: PacketDecision) -> tuple:
    return (version.utn_status, version.utn_error_code, version.utn_error_description, version.utn_action_required)


def _stage(version: PacketDecision) -> Verb | None:
    """The last thing that has happened to this version; None before a clinical answer."""
    if not is_answered(version.clinical_decision):
        return None
    if version.utn_status == UtnStatus.SUCCESS:
        return Verb.UTN_SUCCESS
    if version.utn_status == UtnStatus.FAILED:
        return Verb.UTN_FAIL
    if version.esmd_request_status in (EsmdRequestStatus.SENT, EsmdRequestStatus.ACKED):
        return Verb.PAYLOAD
    return Verb.CLINICAL_ANSWER


def _events(
    said: Sequence[NewMessage], reasons: dict[int, str | None], movers: set[int], moved: dict[int, Moved]
) -> list[PacketEvent]:
    events = []
    for item in said:
        move, why_not = moved[item.case.packet.pk], reasons[id(item)]
        from_status = move.packet.detailed_status
        events.append(
            PacketEvent(
                packet_id=item.case.packet.pk,
                what=PacketEvent.What.ANSWER_IGNORED if why_not else PacketEvent.What.ANSWERED,
                by=item.by,
                job_id=item.job_id,
                from_status=from_status,
                # Also an older message may end what was said before it, and so move the packet.
                to_status=from_status if why_not and id(item) not in movers else move.to,
                reason="; ".join(filter(None, [item.reason, why_not])) or None,
            )
        )
    return events


def _newly_answered(decided: Iterable[tuple[Case, PacketDecision]]) -> list[UUID]:
    return [
        case.packet.decision_tracking_id
        for case, version in decided
        if case.active is None or case.active.clinical_decision != version.clinical_decision
    ]
