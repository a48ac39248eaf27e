"""Update the operational decision: a person closes a case whose work is done, or opens a closed one again."""

from typing import Unpack

from decisions.case import Case
from decisions.codes import OperationalDecision as O
from decisions.errors import NotAllowedNow
from decisions.models import PacketDecision
from decisions.staff.decide import Request, decide, open_case, refuse_move
from packets.codes import DetailedStatus
from packets.moves import MOVES, Verb

# The moves of operational_decision, all by people; `dismiss` makes DISMISSAL. docs/state_machine.md draws them.
OPERATIONAL_MOVES: dict[tuple[O, O], Verb] = {
    (O.PENDING, O.DECISION_COMPLETE): Verb.COMPLETE,
    (O.DISMISSAL, O.DISMISSAL_COMPLETE): Verb.COMPLETE_DISMISSAL,
    (O.DECISION_COMPLETE, O.PENDING): Verb.REOPEN,
    (O.DISMISSAL, O.PENDING): Verb.REOPEN_DISMISSAL,
    (O.DISMISSAL_COMPLETE, O.PENDING): Verb.REOPEN_DISMISSAL,
}


def update_operational_decision(packet_id: int, *, to: O, **request: Unpack[Request]) -> PacketDecision:
    """Set the operational decision, and move the packet with it. Raises DecisionRefused."""
    case, made = open_case(packet_id, request, operational_decision=to)
    if made:
        return made
    if case.active is None:
        raise NotAllowedNow("the packet has no decision yet")
    verb = OPERATIONAL_MOVES.get((O(case.active.operational_decision), to))
    if verb is None:
        raise NotAllowedNow(f"the operational decision is {case.active.operational_decision}; it can't become {to}")
    refuse_move(case, verb)
    return decide(case, verb, request, operational_decision=to)


def operational_targets(case: Case) -> list[O]:
    """The values that the operational decision can be set to now."""
    if case.active is None:
        return []
    current, status = case.active.operational_decision, DetailedStatus(case.packet.detailed_status)
    return [to for (start, to), verb in OPERATIONAL_MOVES.items() if start == current and status in MOVES[verb].froms]
