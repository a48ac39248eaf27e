"""How the jobs of a batch ended, counted: what the verbs of the engine return, and what log lines and metrics show."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Self


@dataclass(frozen=True, slots=True)
class JobCounts:
    """Numbers of jobs, by what became of them.

    done, failed, waiting, dead  the status that an attempt ended with
    given_back                   NEW again with their attempt: given back, reclaimed, or their service was unavailable
    lost                         the lease was gone, so nothing was written
    """

    done: int = 0
    failed: int = 0
    waiting: int = 0
    dead: int = 0
    given_back: int = 0
    lost: int = 0

    @classmethod
    def of(cls, statuses: Iterable[str]) -> Self:
        """Count the statuses that jobs left PROCESSING for."""
        found = Counter(statuses)
        names = {"DONE": "done", "FAILED": "failed", "WAITING": "waiting", "DEAD": "dead", "NEW": "given_back"}
        return cls(**{names[status]: count for status, count in found.items()})

    def __add__(self, other: Self) -> Self:
        return type(self)(*(getattr(self, name) + getattr(other, name) for name in NAMES))

    def __bool__(self) -> bool:
        return self.total > 0

    @property
    def total(self) -> int:
        """All of them."""
        return sum(getattr(self, name) for name in NAMES)

    @property
    def attempted(self) -> int:
        """Jobs whose attempt ended, well or not."""
        return self.done + self.failed + self.waiting + self.dead

    def shown(self) -> dict[str, int]:
        """Those that are not 0, as keys of a log line."""
        return {name: count for name, count in asdict(self).items() if count}


NAMES = tuple(field.name for field in fields(JobCounts))
NO_JOBS = JobCounts()
