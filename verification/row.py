"""A row of the report: a promise, what keeps it, and how that is proved."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from verification.proof.stage import Stage

# Rounds of each proof with all protections in place, and how many without one until it must have been seen to break.
ROUNDS = 20
QUICK_ROUNDS = 1
TRIES = 20

# One round of a race: makes what it needs, lets it happen, and returns the promises that were broken, for a person.
Race = Callable[[Stage], list[str]]


@dataclass(frozen=True, slots=True)
class Protection:
    """A protection that can be taken out, in a scratch database and this process only.

    name    as in `tests.chaos --mutant`
    what    the protection, in words: "a claim skips rows that are locked"
    without a context manager; the protection is out while it lasts
    """

    name: str
    what: str
    without: Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class Proof:
    """A race, and the protections without each of which it must break.

    is_direct: it counts sessions, needs new ones, or keeps something in them, so it goes past a pooler.
    """

    race: Race
    without: Sequence[Protection]
    rounds: int = ROUNDS
    is_direct: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    key       as in `--only`: a short word
    number    as in the report: "1", "R1", "P1"
    code      where it stands: "inbox.engine.claim:MARK_CLAIMED"; the report finds file and line
    objects   the database objects it stands on: "index inbox_due", "constraint …", "trigger …", "function …"
    settings  the settings of sessions it stands on
    """

    key: str
    number: str
    title: str
    promise: str
    mechanism: str
    code: Sequence[str]
    proofs: Sequence[Proof]
    objects: Sequence[str] = ()
    settings: Sequence[str] = ()
