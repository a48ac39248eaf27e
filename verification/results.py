"""The results of a verification, as plain data: it travels from the process that proves to the report as JSON."""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from verification.proof.stage import Moment


class Verdict(StrEnum):
    """The verdict on a row. Only PROVED is good."""

    PROVED = "proved"
    FAILED = "FAILED"
    NOT_PROVED = "NOT PROVED"
    SET_UP_ONLY = "set-up only"


@dataclass(frozen=True, slots=True)
class Run:
    """Rounds of one race: how many, how many broke a promise, what the first broken one said, and what one round saw.

    error is why the race itself could not run; then nothing is proved.
    """

    rounds: int
    broken_rounds: int
    broken: list[str]
    deadlocks: int
    took_s: float
    moments: list[Moment]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Removal:
    """The same race without one protection; it must break."""

    protection: str
    what: str
    run: Run

    @property
    def is_seen(self) -> bool:
        """The race broke, as it must."""
        return self.run.broken_rounds > 0


@dataclass(frozen=True, slots=True)
class ProofResult:
    """One race of a row, with all protections and without each."""

    row: str
    race: str
    story: str
    run: Run
    removals: list[Removal] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """FAILED if a promise broke, NOT PROVED if the race could not run or can't break."""
        if self.run.broken_rounds:
            return Verdict.FAILED
        if self.run.error or not all(removal.is_seen for removal in self.removals):
            return Verdict.NOT_PROVED
        return Verdict.PROVED

    def as_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> "ProofResult":
        """The reverse of as_json."""
        removals = [Removal(**removal | {"run": _run(removal["run"])}) for removal in data["removals"]]
        return ProofResult(**data | {"run": _run(data["run"]), "removals": removals})


def _run(data: dict[str, Any]) -> Run:
    return Run(**data | {"moments": [Moment(**moment) for moment in data["moments"]]})
