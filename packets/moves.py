"""The moves of a packet's detailed_status: the one table. `docs/state_machine.md` draws it; a test keeps them equal.

Messages arrive in any order, so they move an open packet from any status. A person's verb moves it only from statuses
where the verb makes sense; elsewhere it is refused with the reason.
"""

from dataclasses import dataclass
from enum import Enum

from packets.codes import CLOSED_STATUSES
from packets.codes import DetailedStatus as S

OPEN = frozenset(S) - CLOSED_STATUSES
# Before any decision: people work on the packet.
UNDECIDED = frozenset([S.PENDING_NEW, S.INTAKE, S.VALIDATION])
# After the UTN: people take care of the letter.
LETTER = (
    S.UTN_RECEIVED,
    S.GENERATE_LETTER_PENDING,
    S.GENERATE_LETTER_COMPLETE,
    S.SEND_LETTER_PENDING,
    S.SEND_LETTER_COMPLETE,
)


class Verb(Enum):
    """The reason why a packet moves; its value is its name in the history and in the diagram."""

    APPROVE = "approve"
    DISMISS = "dismiss"
    AFFIRM = "affirm"
    COMPLETE = "complete"
    COMPLETE_DISMISSAL = "complete the dismissal"
    REOPEN = "reopen"
    REOPEN_DISMISSAL = "reopen the dismissal"
    CLINICAL_ANSWER = "clinical answer"
    PAYLOAD = "payload sent"
    UTN_SUCCESS = "UTN success"
    UTN_FAIL = "UTN failure"


@dataclass(frozen=True, slots=True)
class Move:
    """The statuses from which a verb is allowed, and the one it leads to."""

    froms: frozenset[S]
    to: S


MOVES: dict[Verb, Move] = {
    # By people.
    Verb.APPROVE: Move(UNDECIDED, S.PENDING_CLINICAL_REVIEW),
    Verb.DISMISS: Move(UNDECIDED | {S.PENDING_CLINICAL_REVIEW}, S.DISMISSAL),
    Verb.AFFIRM: Move(UNDECIDED | {S.PENDING_CLINICAL_REVIEW}, S.CLINICAL_DECISION_RECEIVED),
    Verb.COMPLETE: Move(frozenset(LETTER), S.DECISION_COMPLETE),
    Verb.COMPLETE_DISMISSAL: Move(frozenset([S.DISMISSAL]), S.DISMISSAL_COMPLETE),
    Verb.REOPEN: Move(frozenset([S.DECISION_COMPLETE]), S.UTN_RECEIVED),
    Verb.REOPEN_DISMISSAL: Move(frozenset([S.DISMISSAL, S.DISMISSAL_COMPLETE]), S.VALIDATION),
    # By messages.
    Verb.CLINICAL_ANSWER: Move(OPEN, S.CLINICAL_DECISION_RECEIVED),
    Verb.PAYLOAD: Move(OPEN, S.PENDING_UTN),
    Verb.UTN_SUCCESS: Move(OPEN, S.UTN_RECEIVED),
    Verb.UTN_FAIL: Move(OPEN, S.VALIDATION),
}

# The steps that a person may set by hand, both ways: those before a decision, and those of the letter.
STAFF_STEPS: frozenset[tuple[S, S]] = frozenset(
    (start, end)
    for steps in ((S.PENDING_NEW, S.INTAKE, S.VALIDATION), LETTER)
    for start in steps
    for end in steps
    if start != end
)
