"""Decides what follows from new messages of one case: at most one new version. Touches no database."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import NAMESPACE_OID, UUID, uuid5

from decisions.case import Case
from decisions.models import DecisionMessage, PacketDecision
from decisions.rules.current_state import Kind, State, counting_messages, current_state, is_undated
from decisions.rules.inferred_messages import inferred
from decisions.rules.new_round import late_by_s, starts_round
from decisions.versions import has_decision, next_version

# A change of these alone makes no new version: another message says the same.
MESSAGE_FIELDS = frozenset(["clinical_created_at", "clinical_message_id", "utn_created_at", "utn_message_id"])
SAME = "it changes nothing"
APPLIED = "this message has been applied already"
ENDS = "but it ends what was said before it"
UNDATED = (
    "its created_at can't be read, so nobody can tell whether it is for the present round and newer than what counts; "
    "if it is, correct the message, even without a change: the time of the correction counts"
)
NEWER = {
    Kind.CLINICAL: "a newer clinical answer counts",
    Kind.PAYLOAD: "a newer payload counts, or it was made for an earlier round",
    Kind.UTN: "a newer UTN answer counts, or it was said in an earlier round",
}


@dataclass(slots=True)
class NewMessage:
    """One message of one case. `by` is a person, or None for a job; `correlation_id` names the request.

    Applying it sets the result: `why_ignored` is None if it counts and changes something. `version` is set on the last
    new message of a case only; an ignored one may make a version too, because an older answer ends what came before it.
    `is_refused` is set if a person has to say whether it counts; it is not kept then.
    """

    case: Case
    message: DecisionMessage
    job_id: int | None = None
    by: str | None = None
    reason: str | None = None
    correlation_id: UUID | None = None
    why_ignored: str | None = None
    is_refused: bool = False
    version: PacketDecision | None = None


@dataclass(frozen=True, slots=True)
class CaseUpdate:
    """The rows to write for one case; `version` is unsaved, None if nothing changes.

    If the version needs a payload, it is asked for after `asks_after_s` seconds.
    """

    case: Case
    new: Sequence[NewMessage]
    kept: Sequence[DecisionMessage] = ()
    version: PacketDecision | None = None
    asks_after_s: float = 0.0


def update_case(case: Case, known: list[DecisionMessage], new: Sequence[NewMessage]) -> CaseUpdate:
    """Apply these messages of a case together with those `known`, and set the result on each."""
    if case.is_closed:
        for item in new:
            item.why_ignored = f"the case is closed ({case.packet.detailed_status})"
        return CaseUpdate(case, new)
    # Stored like messages, because later versions could not show them any more.
    unsaid = inferred(case.active, known)
    known = known + unsaid
    fresh = _without_undated(_without_repeated(new, known), known)
    messages = [item.message for item in fresh]
    version = _next_version(case, known, messages, last=fresh[-1]) if fresh else None
    counts = counting_messages(known + messages)
    for item in fresh:
        item.version = version if item is fresh[-1] else None
        item.why_ignored = _why_ignored(item, counts, changes=version is not None)
    return CaseUpdate(case, new, unsaid + messages, version, asks_after_s=late_by_s(known, messages))


def _without_repeated(new: Sequence[NewMessage], known: Sequence[DecisionMessage]) -> list[NewMessage]:
    """Those whose message is not known yet; the others get their reason.

    A row that is inserted anew as it was, as by a restore of its table, has a revision that is not known, and has lost
    the time of its last UPDATE. It would begin its round too early.
    """
    keys = {message.key for message in known}
    of_row: dict[tuple, list[DecisionMessage]] = defaultdict(list)
    for message in known:
        of_row[_row(message)].append(message)
    fresh = []
    for item in new:
        message = item.message
        if message.key in keys or any(_is_again(message, other) for other in of_row[_row(message)]):
            item.why_ignored = APPLIED
        else:
            fresh.append(item)
            keys.add(message.key)
            of_row[_row(message)].append(message)
    return fresh


def _row(message: DecisionMessage) -> tuple:
    return (message.kind, message.source, message.message_id, message.created_at)


def _is_again(message: DecisionMessage, other: DecisionMessage) -> bool:
    """True if a later revision of a row, inserted and not updated, says what an `other` one said."""
    return message.revision > other.revision and message.is_inserted and message.content == other.content


def _without_undated(fresh: list[NewMessage], known: list[DecisionMessage]) -> list[NewMessage]:
    """Those that count, say what counts already, or have a time that says why they don't; the others are refused."""
    undated = [item for item in fresh if is_undated(item.message)]
    if not undated:
        return fresh
    counts = counting_messages(known + [item.message for item in fresh])
    for item in undated:
        counted = counts.get(item.message.kind)
        if counted is None or counted.content != item.message.content:
            item.why_ignored, item.is_refused = UNDATED, True
    return [item for item in fresh if not item.is_refused]


def _next_version(
    case: Case, known: list[DecisionMessage], messages: list[DecisionMessage], *, last: NewMessage
) -> PacketDecision | None:
    """The version that all messages of the case make together, attributed to the last one; None if nothing changes."""
    state = current_state(known + messages)
    if state is None:
        return None
    changes = _changes(case, state)
    if case.active is not None and starts_round(case.active, state, known, messages):
        changes["decision_round"] = case.active.decision_round + 1
    if not changes:
        return None
    # The same for every try of the same message.
    correlation_id = last.correlation_id or uuid5(NAMESPACE_OID, str(last.message))
    return next_version(case, by=last.by or f"job:{last.job_id}", correlation_id=correlation_id, **changes)


def _changes(case: Case, state: State) -> State:
    """The fields that change; empty if only the number and the time of the message would."""
    if not has_decision(case):
        return dict(state)
    changes = {name: value for name, value in state.items() if value != getattr(case.active, name)}
    return {} if changes.keys() <= MESSAGE_FIELDS else changes


def _why_ignored(item: NewMessage, counts: Mapping[str, DecisionMessage], *, changes: bool) -> str | None:
    counted = counts.get(item.message.kind)
    if counted is item.message:
        return None if changes else SAME
    is_same = counted is not None and counted.content == item.message.content
    why = SAME if is_same else NEWER[Kind(item.message.kind)]
    if item.message.created_at is None and not is_same:
        why += "; its own created_at can't be read, so it counts as the oldest"
    return f"{why}; {ENDS}" if item.version else why
