"""What a handler says of a job: one outcome each. Only bugs and the database raise."""

from dataclasses import dataclass
from enum import Enum

# The error kinds of jobs that a wake brings back: one died of waiting, the other contradicts what is there.
WAIT_LIMIT = "WaitLimit"
CONTRADICTION = "Contradiction"
WOKEN_KINDS = (WAIT_LIMIT, CONTRADICTION)


class Verdict(Enum):
    DONE = "done"
    DEAD = "dead"
    RETRY = "retry"
    NOT_READY = "not_ready"
    NOT_THERE = "not_there"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict; `text` is the note of a done or waiting job, and the error of a failed or dead one.

    `said` is what somebody else's program said, who may have quoted anything: only a reveal shows it.
    """

    verdict: Verdict
    text: str | None = None
    kind: str | None = None
    said: str | None = None


DONE = Outcome(Verdict.DONE)
# The engine's own, of a job whose call comes next: it stays PROCESSING, under its lease.
KEPT = Outcome(Verdict.KEPT)


def done() -> Outcome:
    """It worked."""
    return DONE


def ignored(reason: str) -> Outcome:
    """Done without an effect, because of `reason` (an older message, a deleted source row)."""
    return Outcome(Verdict.DONE, reason)


def dead(reason: str, kind: str = "BadMessage", said: str | None = None) -> Outcome:
    """It can never work. `reason` is for a person and holds no payload values; `said` may, and is withheld."""
    return Outcome(Verdict.DEAD, reason, kind, said)


def retry(reason: str, kind: str = "Retry") -> Outcome:
    """It failed this time: tried again later, dead after the last attempt."""
    return Outcome(Verdict.RETRY, reason, kind)


def not_ready(what: str) -> Outcome:
    """It waits for `what`, and spends no attempt."""
    return Outcome(Verdict.NOT_READY, what)


def not_there(reason: str) -> Outcome:
    """Of outbound calls only: who was called is not there. Its whole source pauses; the job spends no attempt."""
    return Outcome(Verdict.NOT_THERE, reason)
