"""A worker's share of the ingest: the poll of each source, and the sweeps whose turn is this process's.

A sweep goes on step by step between the worker's batches, so that a large table stops no work.
"""

from collections.abc import Iterator, Sequence

from django.conf import settings
from django.db import Error

from inbox.db.blockers import refusal_text
from inbox.db.errors import is_refusal, is_statement_timeout
from inbox.db.storable import error_text
from inbox.engine.hold_up import HoldUps
from inbox.engine.ingest import INGEST_LIMIT, Ingested, ingest
from inbox.engine.sweep import SweepKind, return_turn, sweep, take_turn
from inbox.events import Event, emit
from inbox.registry import Source

# What is left alone for a moment when the database refuses an ingest.
ROWS = "rows to ingest"


class Ingester:
    """Makes jobs of the rows of `sources`."""

    def __init__(self, sources: Sequence[Source], hold_ups: HoldUps | None = None) -> None:
        self.sources = sources
        self._hold_ups = HoldUps() if hold_ups is None else hold_ups
        self._limit = INGEST_LIMIT
        self._may_take_turns = False
        self._overdue_s = 0.0
        self._sweeps: list[tuple[Source, SweepKind, Iterator[int]]] = []
        self._swept: set[tuple[str, SweepKind]] = set()

    def ingest(self) -> int | None:
        """Ingest a batch of each source; returns how many jobs that made, None if the database refused one.

        Raises OperationalError for a lost connection.
        """
        open_sources = [source for source in self.sources if self._hold_ups.is_open(source, ROWS)]
        tried = [self._ingest(source) for source in open_sources]
        found = [ingested for ingested in tried if ingested is not None]
        if len(found) < len(tried):
            return None
        if len(tried) < len(self.sources):
            # No sweep of what is left alone.
            return sum(ingested.count for ingested in found)
        self._limit = min(self._limit * 2, INGEST_LIMIT)
        # Rows above the watermark come first, but not for so long that a row behind it slips through.
        self._may_take_turns = not self._sweeps
        is_full = any(ingested.is_full for ingested in found)
        self._overdue_s = settings.INBOX_LOOKBACK / 4 if is_full else 0.0
        if is_full:
            self._swept.clear()
        return sum(ingested.count for ingested in found)

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

    def sweep_on(self) -> int:
        """One step of the sweep in hand, or of one that is due; returns how many jobs it made."""
        self._take_turns()
        if not self._sweeps:
            return 0
        source, kind, steps = self._sweeps[0]
        try:
            count = next(steps, None)
        except Error:
            # Broken off, so not done: the next turn does it all.
            self._sweeps.pop(0)
            raise
        if count is None:
            self._sweeps.pop(0)
            self._swept.add((source.name, kind))
        return count or 0

    def sweep_to_end(self) -> None:
        """Do all sweeps that are due, or in hand, now."""
        self.sweep_on()
        while self._sweeps:
            self.sweep_on()

    def begin_missing_sweeps(self) -> bool:
        """Begin each sweep that was not done since rows came last, whoever's turn it is; False if there is none."""
        self._sweeps = [
            (source, kind, sweep(source, kind))
            for source in self.sources
            for kind in SweepKind
            if (source.name, kind) not in self._swept
        ]
        return bool(self._sweeps)

    def close(self) -> None:
        """Leave to another process what is not swept."""
        for source, kind, _ in self._sweeps:
            return_turn(source, kind)
        self._sweeps = []

    def _take_turns(self) -> None:
        """Not in the poll itself: messages that have just come need not wait for the question whose turn it is."""
        if not self._may_take_turns:
            return
        self._may_take_turns = False
        self._sweeps = [
            (source, kind, sweep(source, kind))
            for source in self.sources
            for kind in SweepKind
            if take_turn(source, kind, overdue_s=self._overdue_s)
        ]
