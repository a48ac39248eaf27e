"""The current state of a case: a pure function of the set of its messages, so that their order can't matter.

A round is a run of equal clinical answers, in the order of the answers. UTN answers and payloads count for the round in
which they were said; what was said before the very first answer counts for the first round. In each kind the later one
by (created_at, message_id, revision) counts; of equal answers, the first.

A UTN answer or payload whose time can't be read sorts before all others: it counts in the first round, unless another
one does. Where it does not count, nobody can tell whether it should (is_undated).

A contrary answer that arrives late and is older than the one that counts does not replace it, but still ends what was
said before it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from decisions.codes import ClinicalDecision, EsmdRequestStatus, UtnStatus
from decisions.models import DecisionMessage
from packets.order import BEGINNING

Kind = DecisionMessage.Kind
# The source of a person's answer.
STAFF = "staff"


# Fields of a decision version that messages decide.
State = dict[str, Any]


def order_of(message: DecisionMessage) -> tuple[datetime, int, int]:
    """The message of a kind with the greatest key counts."""
    return (message.created_at or BEGINNING, message.message_id, message.revision)


def is_undated(message: DecisionMessage) -> bool:
    """True for a UTN answer or payload whose time can't be read."""
    return message.kind != Kind.CLINICAL and None in (message.created_at, message.said_at)


def counting_messages(messages: Iterable[DecisionMessage]) -> dict[str, DecisionMessage]:
    """The message that counts, by kind; empty without a clinical answer."""
    by_kind = _by_kind(messages)
    run, began_at = _last_run(by_kind[Kind.CLINICAL])
    if not run:
        return {}
    counts = {str(Kind.CLINICAL): run[0]}
    for kind in (Kind.PAYLOAD, Kind.UTN):
        for message in by_kind[kind]:
            if _said_at(message) >= began_at and message.content.get("answer") in (run[0].content["answer"], None):
                counts[kind] = message
    return counts


def of_earlier_rounds(messages: Iterable[DecisionMessage]) -> list[DecisionMessage]:
    """The UTN answers and payloads that were said before the round that counts."""
    by_kind = _by_kind(messages)
    run, began_at = _last_run(by_kind[Kind.CLINICAL])
    others = by_kind[Kind.PAYLOAD] + by_kind[Kind.UTN]
    return [message for message in others if _said_at(message) < began_at] if run else []


def round_began_at(messages: Iterable[DecisionMessage]) -> datetime:
    """When the first answer of the round that counts was said; what was said before it is of an earlier round."""
    _, began_at = _last_run(_by_kind(messages)[Kind.CLINICAL])
    return began_at


def current_state(messages: Iterable[DecisionMessage]) -> State | None:
    """The state that these messages of one case lead to; None without a clinical answer."""
    counts = counting_messages(messages)
    if not counts:
        return None
    clinical = counts[Kind.CLINICAL]
    utn = counts.get(Kind.UTN)
    return {
        "clinical_decision": clinical.content["answer"],
        "decision_outcome": clinical.content["answer"],
        "clinical_created_at": clinical.created_at,
        "clinical_message_id": None if clinical.source == STAFF else clinical.message_id,
        **_esmd(counts.get(Kind.PAYLOAD), is_acked=bool(utn and utn.content["is_success"])),
        **_utn(utn),
    }


def _by_kind(messages: Iterable[DecisionMessage]) -> dict[str, list[DecisionMessage]]:
    found: dict[str, list[DecisionMessage]] = {kind: [] for kind in Kind}
    for message in sorted(messages, key=order_of):
        found[message.kind].append(message)
    return found


def _said_at(message: DecisionMessage) -> datetime:
    return message.said_at or BEGINNING


def _last_run(answers: Sequence[DecisionMessage]) -> tuple[list[DecisionMessage], datetime]:
    """The newest answers that say the same, and when the first of them was said; the very first run has no beginning.

    A person may start a run with the same answer, so that everything is requested again.
    """
    run: list[DecisionMessage] = []
    runs = 0
    for message in answers:
        if not run or run[-1].content["answer"] != message.content["answer"] or message.content.get("is_anew"):
            run, runs = [], runs + 1
        run.append(message)
    return run, BEGINNING if runs <= 1 else min(map(_said_at, run))


def _esmd(payload: DecisionMessage | None, *, is_acked: bool) -> State:
    content = payload.content if payload else {"is_sent": None}
    status = {None: EsmdRequestStatus.NOT_SENT, True: EsmdRequestStatus.SENT, False: EsmdRequestStatus.FAILED}
    return {
        "esmd_request_status": EsmdRequestStatus.ACKED if is_acked else status[content["is_sent"]],
        "esmd_payload_digest": content.get("payload_digest"),
        "esmd_request_payload": content.get("payload"),
        "esmd_error": content.get("error"),
        "decision_subtype": content.get("subtype"),
        "part_type": content.get("part_type"),
    }


def _utn(message: DecisionMessage | None) -> State:
    content = message.content if message else {"is_success": None}
    status = {None: UtnStatus.NONE, True: UtnStatus.SUCCESS, False: UtnStatus.FAILED}[content["is_success"]]
    return {
        "utn": content.get("utn"),
        "utn_status": status,
        "requires_utn_fix": status == UtnStatus.FAILED,
        "utn_error_code": content.get("error_code"),
        "utn_error_description": content.get("error_description"),
        "utn_action_required": content.get("action_required"),
        "utn_created_at": message.created_at if message else None,
        "utn_message_id": message.message_id if message else None,
    }


def is_answered(clinical_decision: str) -> bool:
    """True if this is a clinical answer."""
    return clinical_decision != ClinicalDecision.PENDING
