"""The moves of a packet's detailed_status: the one table. `docs/state_machine.md` draws it; a test keeps them equal.

What comes by a message may come in any order, so it moves an open packet from wherever it is. A person's verb moves it
only from where the verb makes sense, and says otherwise what stands in the way.
"""

from dataclasses import dataclass
from enum import Enum

from packets.codes import CLOSED_STATUSES
from packets.codes import DetailedStatus as S

OPEN = frozenset(S) - CLOSED_STATUSES
# Before any decision; there a packet is worked on by people.
UNDECIDED = frozenset([S.PENDING_NEW, S.INTAKE, S.VALIDATION])
# The UTN is there: what is left is the letter, which people see to.
LETTER = (
    S.UTN_RECEIVED,
    S.GENERATE_LETTER_PENDING,
    S.GENERATE_LETTER_COMPLETE,
    S.SEND_LETTER_PENDING,
    S.SEND_LETTER_COMPLETE,
)


class Verb(Enum):
    """What moves a packet; the value is how the history and the diagram call it."""

    APPROVE = "approve"
    DISMISS = "dismiss"
    AFFIRM = "affirm"
    COMPLETE = "complete"
    COMPLETE_DISMISSAL = "complete the dismissal"
    REOPEN = "reopen"
    CLINICAL_ANSWER = "clinical answer"
    PAYLOAD = "payload sent"
    UTN_SUCCESS = "UTN success"
    UTN_FAIL = "UTN failure"


@dataclass(frozen=True, slots=True)
class Move:
    """Where a verb leads, from where it is allowed, and whether it is a person's."""

    froms: frozenset[S]
    to: S
    is_staff: bool


MOVES: dict[Verb, Move] = {
    Verb.APPROVE: Move(UNDECIDED, S.PENDING_CLINICAL_REVIEW, is_staff=True),
    Verb.DISMISS: Move(UNDECIDED | {S.PENDING_CLINICAL_REVIEW}, S.DISMISSAL, is_staff=True),
    Verb.AFFIRM: Move(UNDECIDED | {S.PENDING_CLINICAL_REVIEW}, S.CLINICAL_DECISION_RECEIVED, is_staff=True),
    Verb.COMPLETE: Move(frozenset(LETTER), S.DECISION_COMPLETE, is_staff=True),
    Verb.COMPLETE_DISMISSAL: Move(frozenset([S.DISMISSAL]), S.DISMISSAL_COMPLETE, is_staff=True),
    Verb.REOPEN: Move(CLOSED_STATUSES, S.VALIDATION, is_staff=True),
    Verb.CLINICAL_ANSWER: Move(OPEN, S.CLINICAL_DECISION_RECEIVED, is_staff=False),
    Verb.PAYLOAD: Move(OPEN, S.PENDING_UTN, is_staff=False),
    Verb.UTN_SUCCESS: Move(OPEN, S.UTN_RECEIVED, is_staff=False),
    Verb.UTN_FAIL: Move(OPEN, S.VALIDATION, is_staff=False),
}

# What a person may set by hand: the steps before a decision, and the steps of the letter, both ways.
STAFF_STEPS: frozenset[tuple[S, S]] = frozenset(
    (start, end)
    for steps in ((S.PENDING_NEW, S.INTAKE, S.VALIDATION), LETTER)
    for start in steps
    for end in steps
    if start != end
)
