"""When a new round begins, so that payload, UTN and letter are requested again. Pure, as all rules."""

from collections.abc import Iterable

from decisions.codes import EsmdRequestStatus
from decisions.models import DecisionMessage, PacketDecision
from decisions.rules.current_state import Kind, State, is_answered, of_earlier_rounds, round_began_at
from packets.order import BEGINNING

# A payload that came too late for its round is asked for again by then.
LONGEST_WAIT_S = 15 * 60.0


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


def late_by_s(known: list[DecisionMessage], new: list[DecisionMessage]) -> float:
    """How many seconds the last of the new payloads came too late for the round that goes on, LONGEST_WAIT_S at most.

    So long after it, a payload has to be asked for again. If the clock of its writer is slow, or the database's was set
    back, it counts then. If it were asked for at once, the next one would be too late, too, again and again. 0 if none
    came too late.
    """
    began_at = round_began_at(known + new)
    if began_at != round_began_at(known):
        return 0.0
    said_at = [message.said_at or BEGINNING for message in new if message.kind == Kind.PAYLOAD]
    late_s = [(began_at - at).total_seconds() for at in said_at if at < began_at]
    return min(*late_s, LONGEST_WAIT_S) if late_s else 0.0


def _kinds(messages: Iterable[DecisionMessage]) -> set[str]:
    return {message.kind for message in messages}
