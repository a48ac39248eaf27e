"""A worker's share of the ingest: the poll of each source, and the sweeps whose turn is this process's.

A sweep goes on step by step between the worker's batches, so that a large table stops no work.
"""

from collections.abc import Iterator, Sequence

from django.conf import settings
from django.db import Error, OperationalError

from inbox.db.errors import is_connection_lost, is_statement_timeout
from inbox.db.storable import error_text
from inbox.engine.ingest import INGEST_LIMIT, ingest
from inbox.engine.sweep import SweepKind, return_turn, sweep, take_turn
from inbox.events import Event, emit
from inbox.registry import Source


class Ingester:
    """Makes jobs of the rows of `sources`."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = sources
        self._limit = INGEST_LIMIT
        self._may_take_turns = False
        self._overdue_s = 0.0
        self._sweeps: list[tuple[Source, SweepKind, Iterator[int]]] = []
        self._swept: set[tuple[str, SweepKind]] = set()

    def ingest(self) -> int | None:
        """Ingest a batch of each source; returns how many jobs that made, None if the database refused.

        Raises OperationalError for a lost connection.
        """
        try:
            found = [ingest(source, limit=self._limit) for source in self.sources]
        except OperationalError as error:
            if is_connection_lost(error):
                raise
            if is_statement_timeout(error):
                # Rows of many megabytes; a few at a time get through.
                self._limit = max(self._limit // 8, 1)
            emit(Event.INGEST_REFUSED, error=error_text(error))
            return None
        self._limit = min(self._limit * 2, INGEST_LIMIT)
        # Rows above the watermark come first, but not for so long that a row behind it slips through.
        self._may_take_turns = not self._sweeps
        is_full = any(ingested.is_full for ingested in found)
        self._overdue_s = settings.INBOX_LOOKBACK / 4 if is_full else 0.0
        if is_full:
            self._swept.clear()
        return sum(ingested.count for ingested in found)

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
