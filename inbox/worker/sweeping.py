"""A sweep that a worker has in hand: step by step, under the turn that it keeps."""

import time

from inbox.engine.sweeps.sweep import sweep
from inbox.engine.sweeps.turn import SweepKind, Turn
from inbox.registry import Source
from inbox.worker.share import SHARE
from inbox.worker.timer import Timer

# Commits that are late by more than a few seconds are rare, so the lookback, a wide look, may be rare too.
LOOKBACK_EVERY_S = 10.0
# The part of the time for which a turn is kept.
KEEP_AFTER = 1 / 3


class Sweeping:
    """One sweep, under `turn`; without one, whoever's turn it is, for the end of a drain.

    `lookback_s` is as for `sweep`.
    """

    def __init__(
        self, source: Source, kind: SweepKind, turn: Turn | None = None, lookback_s: float | None = None
    ) -> None:
        self.source = source
        self.kind = kind
        self._turn = turn
        self._steps = sweep(source, kind, lookback_s=lookback_s)
        self._began = time.monotonic()
        self._took_s = 0.0
        self._keeping = Timer(kind.kept_for_s * KEEP_AFTER)
        self._keeping.restart()

    @property
    def is_urgent(self) -> bool:
        """It has to come to its end: rows could slip through between this lookback and the next."""
        return self.kind is SweepKind.LOOKBACK and time.monotonic() - self._began > self.kind.longest_pause_s

    def keep(self) -> bool:
        """Keep the turn if it is time to; False if this process has lost it, and so must stop."""
        if self._turn is None or not self._keeping.is_due():
            return True
        self._keeping.restart()
        return self._turn.keep()

    def step(self) -> int | None:
        """One step; returns how many jobs it made, None at the end."""
        began = time.monotonic()
        count = next(self._steps, None)
        self._took_s += time.monotonic() - began
        return count

    def end(self) -> None:
        """It is done: say when the next one may begin."""
        if self._turn is None:
            return
        lasted_s, longest_s = time.monotonic() - self._began, self.kind.longest_pause_s
        if self.kind is SweepKind.RECONCILE:
            # A period from begin to begin, but some rest after a very long one.
            self._turn.end(max(longest_s - lasted_s, longest_s / 4))
        else:
            # Longer after a long one, so that lookbacks take no more than their share of one process.
            self._turn.end(min(max(self._took_s / SHARE - lasted_s, LOOKBACK_EVERY_S), longest_s))

    def give_up(self, pause_s: float = 0) -> None:
        """It is not done: let any process do it all, in `pause_s` seconds."""
        if self._turn is not None:
            self._turn.end(pause_s)
