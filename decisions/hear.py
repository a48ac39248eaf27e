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
from decisions.standing import FIELDS, Kind, Standing, counting, is_answered, standing
from decisions.versions import has_decision, next_version, write_versions
from inbox.wake import wake
from packets.codes import DetailedStatus, ValidationStatus
from packets.models import PacketEvent
from packets.move_packets import Moved, move_packets
from packets.moves import MOVES, Verb

# Which message it was does not make a decision another one.
SAYS_WHICH = frozenset(["clinical_created_at", "clinical_message_id", "utn_created_at", "utn_message_id"])
SAME = "it says what is known already"
NEWER = {
    Kind.CLINICAL: "a newer clinical answer counts",
    Kind.PAYLOAD: "a newer payload counts, or it was made for an earlier round",
    Kind.UTN: "a newer UTN answer counts, or it was said in an earlier round",
}


@dataclass(frozen=True, slots=True)
class Said:
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


class Heard(NamedTuple):
    """Why each message was ignored, None if it counts, in their order; and the versions made, by packet."""

    reasons: list[str | None]
    versions: dict[int, PacketDecision]


def hear(said: Sequence[Said]) -> Heard:
    """Let these messages take effect."""
    by_packet: dict[int, list[Said]] = {}
    for item in said:
        by_packet.setdefault(item.case.packet.pk, []).append(item)
    known: dict[int, list[DecisionMessage]] = {packet_id: [] for packet_id in by_packet}
    for message in DecisionMessage.objects.filter(packet__packet_id__any_of=by_packet):
        known[message.packet_id].append(message)

    reasons: dict[int, str | None] = {}
    kept: list[DecisionMessage] = []
    decided: list[tuple[Case, PacketDecision]] = []
    moved: list[Moved] = []
    for packet_id, items in by_packet.items():
        hearing = _Hearing(items[0].case, known[packet_id])
        reasons |= hearing.hear(items)
        kept += hearing.kept
        if hearing.version:
            decided.append((hearing.case, hearing.version))
        moved.append(hearing.moved())

    DecisionMessage.objects.bulk_create(kept)
    write_versions([version for _, version in decided])
    move_packets(moved)
    PacketEvent.objects.bulk_create(_events(said, reasons, {move.packet.pk: move for move in moved}))
    request_letters(decided)
    request_payloads(decided)
    wake(_newly_answered(decided), why="a clinical answer has come")
    return Heard([reasons[id(item)] for item in said], {case.packet.pk: version for case, version in decided})


class _Hearing:
    """One case: what it knew, what was said now, and what follows."""

    def __init__(self, case: Case, known: list[DecisionMessage]) -> None:
        self.case = case
        self.known = known + _implied(case, known)
        self.kept: list[DecisionMessage] = []
        self.version: PacketDecision | None = None
        self.to: DetailedStatus | None = None

    def hear(self, items: Sequence[Said]) -> dict[int, str | None]:
        """Decide; returns why each item was ignored, by its id()."""
        if self.case.packet.is_closed:
            return dict.fromkeys(map(id, items), f"the case is closed ({self.case.packet.detailed_status})")
        keys = {_key(message) for message in self.known}
        fresh: list[Said] = []
        for item in items:
            if _key(item.message) not in keys:
                keys.add(_key(item.message))
                fresh.append(item)
        self.kept = [item.message for item in fresh]
        everything = self.known + self.kept
        now = standing(everything)
        if now and (changes := self._changes(now)):
            self._decide(now, changes, fresh)
        counts = counting(everything)
        is_fresh = set(map(id, fresh))
        return {id(item): self._why_not(item, counts, id(item) in is_fresh) for item in items}

    def _why_not(self, item: Said, counts: dict[str, DecisionMessage], is_fresh: bool) -> str | None:
        if not is_fresh:
            return "this message has been applied already"
        counted = counts.get(item.message.kind)
        if counted is not item.message:
            is_same = counted is not None and counted.content == item.message.content
            return SAME if is_same else NEWER[Kind(item.message.kind)]
        return None if self.version else SAME

    def _changes(self, now: Standing) -> dict[str, Any]:
        """The fields that change; empty if only the number of the message would."""
        active = self.case.active
        if active is None or not has_decision(self.case):
            return {name: getattr(now, name) for name in FIELDS}
        changes = {name: getattr(now, name) for name in FIELDS if getattr(now, name) != getattr(active, name)}
        return {} if changes.keys() <= SAYS_WHICH else changes

    def _decide(self, now: Standing, changes: dict[str, Any], fresh: Sequence[Said]) -> None:
        active = self.case.active
        is_new_round = active is not None and self.case.is_answered and _ends_round(active, now)
        if active is not None and is_new_round:
            changes["decision_round"] = active.decision_round + 1
        newest = fresh[-1]
        by = newest.by or f"job:{newest.job_id}"
        self.version = next_version(self.case, by=by, correlation_id=newest.request_id, **changes)
        verb = _stage(self.version)
        if verb and (is_new_round or active is None or verb != _stage(active)):
            self.to = MOVES[verb].to

    def moved(self) -> Moved:
        """Where the packet goes, and how its validation goes on."""
        packet, was_to_be_fixed = self.case.packet, bool(self.case.active and self.case.active.requires_utn_fix)
        validation = packet.validation_status
        if self.version and self.version.requires_utn_fix:
            validation = ValidationStatus.PENDING_VALIDATION
        elif self.version and was_to_be_fixed and validation == ValidationStatus.PENDING_VALIDATION:
            validation = packet.first_validation_status
        return Moved(packet, self.to or DetailedStatus(packet.detailed_status), ValidationStatus(validation))


def _key(message: DecisionMessage) -> tuple:
    return (message.kind, message.source, message.message_id, message.revision)


def _ends_round(active: PacketDecision, now: Standing) -> bool:
    """True if the answer is another one, or if what was told in the round of `active` no longer counts."""
    return (
        now.clinical_decision != active.clinical_decision
        or (active.utn_status != UtnStatus.NONE and now.utn_status == UtnStatus.NONE)
        or (
            active.esmd_request_status != EsmdRequestStatus.NOT_SENT
            and now.esmd_request_status == EsmdRequestStatus.NOT_SENT
        )
    )


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


def _implied(case: Case, known: Iterable[DecisionMessage]) -> list[DecisionMessage]:
    """What the active version says and no message does, as of data that was brought from elsewhere."""
    active, kinds = case.active, {message.kind for message in known}
    if active is None or not is_answered(active.clinical_decision):
        return []
    implied = []
    if Kind.CLINICAL not in kinds:
        content: dict[str, Any] = {"answer": active.clinical_decision}
        implied.append(_from_version(Kind.CLINICAL, active.clinical_created_at, active.clinical_message_id, content))
    if Kind.UTN not in kinds and active.utn_status != UtnStatus.NONE:
        content = {
            "is_success": active.utn_status == UtnStatus.SUCCESS,
            "utn": active.utn,
            "error_code": active.utn_error_code,
            "error_description": active.utn_error_description,
            "action_required": active.utn_action_required,
        }
        implied.append(_from_version(Kind.UTN, active.utn_created_at, active.utn_message_id, content))
    if Kind.PAYLOAD not in kinds and active.esmd_request_status in (EsmdRequestStatus.SENT, EsmdRequestStatus.FAILED):
        is_sent = active.esmd_request_status == EsmdRequestStatus.SENT
        content = {
            "is_sent": is_sent,
            "answer": active.clinical_decision if is_sent else None,
            "payload": active.esmd_request_payload,
            "error": active.esmd_error,
            "subtype": active.decision_subtype,
            "part_type": active.part_type,
        }
        implied.append(_from_version(Kind.PAYLOAD, active.clinical_created_at, None, content))
    return implied


def _from_version(kind: Kind, created_at: Any, message_id: int | None, content: dict[str, Any]) -> DecisionMessage:
    return DecisionMessage(
        kind=kind,
        source="version",
        message_id=message_id or 0,
        revision=0,
        created_at=created_at,
        said_at=created_at,
        content=content,
    )


def _events(said: Sequence[Said], reasons: dict[int, str | None], moved: dict[int, Moved]) -> list[PacketEvent]:
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
                to_status=from_status if why_not else move.to,
                reason=why_not or item.reason,
            )
        )
    return events


def _newly_answered(decided: Iterable[tuple[Case, PacketDecision]]) -> list[UUID]:
    return [
        case.packet.decision_tracking_id
        for case, version in decided
        if case.active is None or case.active.clinical_decision != version.clinical_decision
    ]
