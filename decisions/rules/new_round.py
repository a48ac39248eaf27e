"""When a new round begins, so that payload, UTN and letter are requested again. Pure, as all rules."""

from collections.abc import Iterable

from decisions.codes import EsmdRequestStatus
from decisions.models import DecisionMessage, PacketDecision
from decisions.rules.current_state import Kind, State, is_answered, of_earlier_rounds


def starts_round(
    active: PacketDecision, state: State, known: list[DecisionMessage], new: list[DecisionMessage]
) -> bool:
    """True if `new` messages, which bring a case with this active version to `state`, begin a round.

    They do if the answer is another one, if a person says it once more, or if what the round had received now belongs
    to an earlier round: its UTN, or its payload as long as there is no UTN.
    """
    if not is_answered(active.clinical_decision):
        return False
    if state["clinical_decision"] != active.clinical_decision or any(message.content.get("is_anew") for message in new):
        return True
    before = of_earlier_rounds(known)
    lost = [message for message in of_earlier_rounds(known + new) if message not in before]
    # A new payload that is too late for its round has spent the request of this one.
    return Kind.UTN in _kinds(message for message in lost if message in known) or (
        Kind.PAYLOAD in _kinds(lost) and state["esmd_request_status"] == EsmdRequestStatus.NOT_SENT
    )


def _kinds(messages: Iterable[DecisionMessage]) -> set[str]:
    return {message.kind for message in messages}
