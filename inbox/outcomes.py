"""Outcomes: a handler returns one for each job. Only bugs and the database raise."""

from dataclasses import dataclass
from enum import Enum

# A wake brings back DEAD jobs of these error kinds: they waited too long, or contradict the state of their case.
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

    `said` is the text of another program, which may quote anything: only a reveal shows it.
    """

    verdict: Verdict
    text: str | None = None
    kind: str | None = None
    said: str | None = None


DONE = Outcome(Verdict.DONE)
# Only the engine uses it: the job's call comes next, so it stays PROCESSING under its lease.
KEPT = Outcome(Verdict.KEPT)


def done() -> Outcome:
    """It worked."""
    return DONE


def ignored(reason: str) -> Outcome:
    """Done without an effect, for a `reason` such as an older message or a deleted source row."""
    return Outcome(Verdict.DONE, reason)


def dead(reason: str, kind: str = "BadMessage", said: str | None = None) -> Outcome:
    """It can never work. `reason` is for a person and holds no payload values; `said` may, and is withheld."""
    return Outcome(Verdict.DEAD, reason, kind, said)


def retry(reason: str, kind: str = "Retry") -> Outcome:
    """It failed this time. It is retried later, and is DEAD after the last attempt."""
    return Outcome(Verdict.RETRY, reason, kind)


def not_ready(what: str) -> Outcome:
    """It waits for `what` and spends no attempt."""
    return Outcome(Verdict.NOT_READY, what)


def not_there(reason: str) -> Outcome:
    """For outbound calls only: the service is unavailable. The whole source pauses; the job spends no attempt."""
    return Outcome(Verdict.NOT_THERE, reason)
