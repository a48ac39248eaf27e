"""What the messages of a case say together: a pure function of the set of them, so that their order can't matter.

A round is a run of equal clinical answers, in the order of the answers. UTN answers and payloads count for the round in
which they were said; what was said before the very first answer counts for the first round. In each kind the later one
by (created_at, message_id, revision) counts; of equal answers, the first.

What can surprise: a contrary answer that comes late and is older than the one that counts does not replace it, but ends
what was said before it all the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from decisions.codes import ClinicalDecision, EsmdRequestStatus, UtnStatus
from decisions.models import DecisionMessage
from packets.order import BEGINNING

Kind = DecisionMessage.Kind
# The source of what a person says.
STAFF = "staff"


@dataclass(frozen=True, slots=True)
class CurrentState:
    """The fields of a decision version that messages decide; the names are those of PacketDecision."""

    clinical_decision: str
    decision_outcome: str
    clinical_created_at: datetime | None
    clinical_message_id: int | None
    esmd_request_status: str
    esmd_request_payload: Any
    esmd_error: str | None
    decision_subtype: str | None
    part_type: str | None
    utn: str | None
    utn_status: str
    requires_utn_fix: bool
    utn_error_code: str | None
    utn_error_description: str | None
    utn_action_required: str | None
    utn_created_at: datetime | None
    utn_message_id: int | None


FIELDS = tuple(field.name for field in fields(CurrentState))


def order_of(message: DecisionMessage) -> tuple[datetime, int, int]:
    """Of two messages of one kind the one with the greater key counts."""
    return (message.created_at or BEGINNING, message.message_id, message.revision)


def counting_messages(messages: Iterable[DecisionMessage]) -> dict[str, DecisionMessage]:
    """Of each kind the message that counts; empty without a clinical answer."""
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
    told = by_kind[Kind.PAYLOAD] + by_kind[Kind.UTN]
    return [message for message in told if _said_at(message) < began_at] if run else []


def current_state(messages: Iterable[DecisionMessage]) -> CurrentState | None:
    """What these messages of one case say together; None without a clinical answer."""
    counts = counting_messages(messages)
    if not counts:
        return None
    clinical = counts[Kind.CLINICAL]
    utn = counts.get(Kind.UTN)
    return CurrentState(
        clinical_decision=clinical.content["answer"],
        decision_outcome=clinical.content["answer"],
        clinical_created_at=clinical.created_at,
        clinical_message_id=None if clinical.source == STAFF else clinical.message_id,
        **_esmd(counts.get(Kind.PAYLOAD), is_acked=bool(utn and utn.content["is_success"])),
        **_utn(utn),
    )


def _by_kind(messages: Iterable[DecisionMessage]) -> dict[str, list[DecisionMessage]]:
    found: dict[str, list[DecisionMessage]] = {kind: [] for kind in Kind}
    for message in sorted(messages, key=order_of):
        found[message.kind].append(message)
    return found


def _said_at(message: DecisionMessage) -> datetime:
    return message.said_at or BEGINNING


def _last_run(answers: Sequence[DecisionMessage]) -> tuple[list[DecisionMessage], datetime]:
    """The newest answers that say the same, and when the first of them was said; the first run of all began with time.

    A person may end a run by saying the same once more, so that it all is done again.
    """
    run: list[DecisionMessage] = []
    runs = 0
    for message in answers:
        if not run or run[-1].content["answer"] != message.content["answer"] or message.content.get("is_anew"):
            run, runs = [], runs + 1
        run.append(message)
    return run, BEGINNING if runs <= 1 else min(map(_said_at, run))


def _esmd(payload: DecisionMessage | None, *, is_acked: bool) -> dict[str, Any]:
    content = payload.content if payload else {"is_sent": None}
    status = {None: EsmdRequestStatus.NOT_SENT, True: EsmdRequestStatus.SENT, False: EsmdRequestStatus.FAILED}
    return {
        "esmd_request_status": EsmdRequestStatus.ACKED if is_acked else status[content["is_sent"]],
        "esmd_request_payload": content.get("payload"),
        "esmd_error": content.get("error"),
        "decision_subtype": content.get("subtype"),
        "part_type": content.get("part_type"),
    }


def _utn(message: DecisionMessage | None) -> dict[str, Any]:
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
    """True once a clinical answer is there."""
    return clinical_decision != ClinicalDecision.PENDING
