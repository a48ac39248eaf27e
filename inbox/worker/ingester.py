"""A worker's share of the ingest: the poll of each source, and the sweeps whose turn is this process's.

A sweep goes on step by step between the worker's batches, and takes a share of the time while there is a backlog, so
that a large table stops no work.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from django.conf import settings
from django.db import Error

from inbox.db.blockers import refusal_text
from inbox.db.errors import is_refusal, is_statement_timeout
from inbox.db.storable import error_text
from inbox.engine.hold_up import HoldUps
from inbox.engine.ingest import INGEST_LIMIT, Ingested, ingest
from inbox.engine.sweeps.turn import SweepKind, take_turn
from inbox.events import Event, emit
from inbox.registry import Source
from inbox.worker.share import Share
from inbox.worker.sweeping import Sweeping
from inbox.worker.timer import Timer

# For so long, a process that is at a reconcile leaves a lookback to others, who have more time for it.
LEAVE_TO_OTHERS_S = 2.0
# A sweep that the database has refused may be refused again.
AFTER_A_REFUSAL_S = 10.0

# The name of what is left alone for a moment when the database refuses an ingest.
ROWS = "rows to ingest"


class Ingester:
    """Makes jobs of the rows of `sources`; of a sweep, no more than a step once `is_stopping`."""

    def __init__(
        self,
        sources: Sequence[Source],
        hold_ups: HoldUps | None = None,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.sources = sources
        self._hold_ups = HoldUps() if hold_ups is None else hold_ups
        self._is_stopping = is_stopping
        self._limit = INGEST_LIMIT
        # Whose turns may be taken: those of the last ingest that was not refused.
        self._may_sweep: list[Source] = []
        self._overdue_s = 0.0
        self._share = Share()
        # With a turn, at most one of each kind.
        self._sweeps: list[Sweeping] = []
        self._swept: set[tuple[str, SweepKind]] = set()
        # After a jump of the clock: by how much a lookback reaches further back, and for how long.
        self._further_s = 0.0
        self._further = Timer(0)

    def ingest(self) -> int | None:
        """Ingest a batch of each source; returns how many jobs that made, None if the database refused one.

        Raises OperationalError for a lost connection.
        """
        open_sources = [source for source in self.sources if self._hold_ups.is_open(source, ROWS)]
        tried = [(source, self._ingest(source)) for source in open_sources]
        found = [ingested for _, ingested in tried if ingested is not None]
        # No sweep of what is left alone.
        self._may_sweep = [source for source, ingested in tried if ingested is not None]
        # Rows above the watermark come first, but not for so long that a row behind it slips through.
        is_full = any(ingested.is_full for ingested in found)
        self._overdue_s = settings.INBOX_LOOKBACK / 4 if is_full else 0.0
        if is_full:
            self._swept.clear()
        if len(found) < len(tried):
            return None
        if len(tried) == len(self.sources):
            self._limit = min(self._limit * 2, INGEST_LIMIT)
        return sum(ingested.count for ingested in found)

    def clock_has_jumped(self, s: float) -> None:
        """The database's clock has jumped by `s` s: if ahead, rows that commit late lie that much further back."""
        if s > 0:
            self._further_s = s + (0.0 if self._further.is_due() else self._further_s)
            self._further.restart(settings.INBOX_LOOKBACK)

    def _ingest(self, source: Source) -> Ingested | None:
        """A batch of one source; None if the database refused it, which then leaves the source alone for a moment."""
        try:
            ingested = ingest(source, limit=self._limit)
        except Error as error:
            if not is_refusal(error):
                raise
            if is_statement_timeout(error) and self._limit > 1:
                # Rows of many megabytes; a few at a time get through.
                self._limit = max(self._limit // 8, 1)
                emit(Event.INGEST_REFUSED, source=source.name, reason=error_text(error))
            else:
                self._hold_ups.begin(source, ROWS, refusal_text(error), Event.INGEST_REFUSED)
            return None
        self._hold_ups.end(source, ROWS)
        return ingested

    @property
    def is_sweeping(self) -> bool:
        """A sweep is not at its end."""
        return bool(self._sweeps)

    def sweep_on(self, *, has_backlog: bool = False) -> int:
        """One step of the sweep in hand, or of one that is due; returns how many jobs it made.

        With a backlog of jobs, as many steps as have their share of the time that has passed: often none.
        """
        self._take_turns()
        self._keep_turns()
        if not has_backlog or any(sweeping.is_urgent for sweeping in self._sweeps):
            return self._step()
        count = 0
        while self._sweeps and self._share.is_free and not self._is_stopping():
            count += self._step()
            self._keep_turns()
        return count

    def sweep_to_end(self) -> None:
        """Do all sweeps that are due, or in hand, now."""
        sources, is_more = self._may_sweep, True
        while is_more and not self._is_stopping():
            self._may_sweep = sources
            self._take_turns()
            self._keep_turns()
            is_more = bool(self._sweeps)
            self._step()

    def begin_missing_sweeps(self) -> bool:
        """Begin each sweep that was not done since rows came last, whoever's turn it is; False if there is none."""
        self._sweeps = [
            Sweeping(source, kind, lookback_s=self._lookback_s)
            for source in self.sources
            for kind in SweepKind
            if (source.name, kind) not in self._swept
        ]
        return bool(self._sweeps)

    def close(self) -> None:
        """Leave to another process what is not swept."""
        while self._sweeps:
            self._sweeps.pop().give_up()

    @property
    def _lookback_s(self) -> float:
        return settings.INBOX_LOOKBACK + (0.0 if self._further.is_due() else self._further_s)

    def _step(self) -> int:
        """One step of the sweep in hand that is urgent, or has waited for the longest."""
        if not self._sweeps:
            return 0
        self._sweeps.sort(key=lambda sweeping: not sweeping.is_urgent)
        sweeping = self._sweeps.pop(0)
        began = time.monotonic()
        try:
            count = sweeping.step()
            if count is None:
                sweeping.end()
        except Error:
            # Broken off, so not done: the next turn does it all. It comes by itself if this can't be said now.
            with suppress(Error):
                sweeping.give_up(AFTER_A_REFUSAL_S)
            raise
        self._share.spend(time.monotonic() - began)
        if count is None:
            self._swept.add((sweeping.source.name, sweeping.kind))
        else:
            self._sweeps.append(sweeping)
        return count or 0

    def _take_turns(self) -> None:
        """Not in the poll itself: messages that have just come need not wait for the question whose turn it is."""
        sources, self._may_sweep = self._may_sweep, []
        if not sources:
            return
        in_hand = {sweeping.kind for sweeping in self._sweeps}
        for kind in SweepKind:
            if kind in in_hand:
                continue
            is_busy = kind is SweepKind.LOOKBACK and SweepKind.RECONCILE in in_hand
            overdue_s = self._overdue_s + LEAVE_TO_OTHERS_S * is_busy
            turns = (take_turn(source, kind, overdue_s=overdue_s) for source in sources)
            if turn := next(filter(None, turns), None):
                self._sweeps.append(Sweeping(turn.source, kind, turn, self._lookback_s))

    def _keep_turns(self) -> None:
        self._sweeps = [sweeping for sweeping in self._sweeps if sweeping.keep()]
