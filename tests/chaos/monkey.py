"""Chooses what is broken next, keeps account of it, and takes it away again."""

import random
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psycopg

from tests.chaos.faults.clock import ShiftClock
from tests.chaos.faults.fault import Fault
from tests.chaos.processes import Processes
from tests.chaos.producers import MessageIds
from tests.chaos.stage import Stage


@dataclass
class Struck:
    """A fault that is over: when it began and ended, by this machine's clock.

    Moves up to `after_move` were made before that, whatever their own times say.
    """

    name: str
    began_at: float
    ended_at: float
    after_move: int


class Monkey:
    """Its random choices come from the seed; `kinds` are those to choose from."""

    def __init__(
        self, stage: Stage, processes: Processes, ids: MessageIds, rng: random.Random, kinds: Sequence[type[Fault]]
    ) -> None:
        self.stage = stage
        self.processes = processes
        self.ids = ids
        self.rng = rng
        self.counts: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()
        self.over: list[Struck] = []
        self.most_strangers = 0
        # The pids of the processes that stand still.
        self.frozen: set[int] = set()
        self._going_on: list[Fault] = []
        self._last_move = 0
        self._eye: psycopg.Connection | None = None
        self._kinds = kinds
        self.missing = {kind.name: why for kind in kinds if (why := kind.missing(stage))}

    def act(self) -> None:
        """One bad thing, chosen by weight."""
        kinds = [kind for kind in self._kinds if kind.name not in self.missing and self._may(kind)]
        if kinds:
            self.strike(self.rng.choices(kinds, [kind.weight for kind in kinds])[0]())

    def _may(self, kind: type[Fault]) -> bool:
        is_server_taken = any(fault.takes_server for fault in self._going_on)
        return not (kind.takes_server and is_server_taken) and not (kind.once_at_a_time and self.lasts(kind))

    def lasts(self, kind: type[Fault]) -> bool:
        """True if a fault of this kind is not over."""
        return any(isinstance(fault, kind) for fault in self._going_on)

    def strike(self, fault: Fault) -> None:
        """Begin a fault. It does not count if this stage has not what it needs, or the server is away, or refuses."""
        if fault.name in self.missing:
            return
        fault.began_at = time.time()
        try:
            fault.begin(self)
        except psycopg.Error as error:
            self.notes[f"{fault.name}: could not ({type(error).__name__})"] += 1
            return
        self.counts[fault.name] += 1
        fault.until = time.monotonic() + self.rng.uniform(*fault.lasts_s)
        self._going_on.append(fault)
        self.look_after()

    def see(self, query: str) -> list[tuple]:
        """The rows of a query, by a session that is kept for it; none while the server is away, or a table locked."""
        try:
            if self._eye is None:
                self._eye = self.stage.connect()
                self._eye.execute("SET lock_timeout = '200ms'")
            return self._eye.execute(query).fetchall()
        except psycopg.Error:
            self._close_eye()
            return []

    def _close_eye(self) -> None:
        if self._eye is not None:
            self._eye.close()
        self._eye = None

    def look_after(self) -> None:
        """End what has lasted long enough."""
        self._end([fault for fault in self._going_on if fault.is_over(self)])

    def end_all(self) -> None:
        self._end(list(self._going_on))

    def end(self) -> None:
        """End all, and see no more."""
        self.end_all()
        self._close_eye()

    def _end(self, faults: Iterable[Fault]) -> None:
        for fault in faults:
            self._going_on.remove(fault)
            fault.end(self)
            if isinstance(fault, ShiftClock):
                self._last_move = self._find_last_move()
            self.over.append(Struck(fault.name, fault.began_at, time.time(), self._last_move))

    def _find_last_move(self) -> int:
        """Moves so far have times of a clock that was wrong."""
        try:
            with self.stage.connect() as connection:
                row = connection.execute("SELECT coalesce(max(move_id), 0) FROM chaos_move").fetchone()
        except psycopg.OperationalError:
            return self._last_move
        return row[0] if row else 0
