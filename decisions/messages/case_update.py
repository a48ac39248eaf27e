"""Decides what follows from new messages of one case: at most one new version. Touches no database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import NAMESPACE_OID, UUID, uuid5

from decisions.case import Case
from decisions.models import DecisionMessage, PacketDecision
from decisions.rules.current_state import Kind, State, counting_messages, current_state
from decisions.rules.inferred_messages import inferred
from decisions.rules.new_round import starts_round
from decisions.versions import has_decision, next_version

# A change of these alone makes no new version: the same was said by another message.
MESSAGE_FIELDS = frozenset(["clinical_created_at", "clinical_message_id", "utn_created_at", "utn_message_id"])
SAME = "it changes nothing"
ENDS = "but it ends what was said before it"
NEWER = {
    Kind.CLINICAL: "a newer clinical answer counts",
    Kind.PAYLOAD: "a newer payload counts, or it was made for an earlier round",
    Kind.UTN: "a newer UTN answer counts, or it was said in an earlier round",
}


@dataclass(slots=True)
class NewMessage:
    """One message of one case. `by` is a person, or None for a job; `correlation_id` names the request.

    Applying it sets what became of it: `why_ignored` is None if it counts. `version` is the version that it made, as
    the last of its case; an ignored message may make one too, as an older answer ends what was said before it.
    """

    case: Case
    message: DecisionMessage
    job_id: int | None = None
    by: str | None = None
    reason: str | None = None
    correlation_id: UUID | None = None
    why_ignored: str | None = None
    version: PacketDecision | None = None


@dataclass(frozen=True, slots=True)
class CaseUpdate:
    """The rows to write for one case; `version` is unsaved, None if nothing changes."""

    case: Case
    new: Sequence[NewMessage]
    kept: Sequence[DecisionMessage] = ()
    version: PacketDecision | None = None


def update_case(case: Case, known: list[DecisionMessage], new: Sequence[NewMessage]) -> CaseUpdate:
    """Let these messages of a case take effect, beside those that are `known`, and set what becomes of each."""
    if case.is_closed:
        for item in new:
            item.why_ignored = f"the case is closed ({case.packet.detailed_status})"
        return CaseUpdate(case, new)
    # Kept as if it had been said, as it could not be told from a later version.
    unsaid = inferred(case.active, known)
    known = known + unsaid
    fresh = _without_repeated(new, known)
    messages = [item.message for item in fresh]
    version = _next_version(case, known, messages, last=fresh[-1]) if fresh else None
    counts = counting_messages(known + messages)
    for item in fresh:
        item.version = version if item is fresh[-1] else None
        item.why_ignored = _why_ignored(item, counts, changes=version is not None)
    return CaseUpdate(case, new, kept=unsaid + messages, version=version)


def _without_repeated(new: Sequence[NewMessage], known: Sequence[DecisionMessage]) -> list[NewMessage]:
    """Those whose message is not known yet; the others get their reason."""
    keys = {message.key for message in known}
    fresh = []
    for item in new:
        if item.message.key in keys:
            item.why_ignored = "this message has been applied already"
        else:
            fresh.append(item)
            keys.add(item.message.key)
    return fresh


def _next_version(
    case: Case, known: list[DecisionMessage], messages: list[DecisionMessage], *, last: NewMessage
) -> PacketDecision | None:
    """The version that all messages of the case make together, in the name of the last one; None if nothing changes."""
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
    return f"{why}; {ENDS}" if item.version else why
