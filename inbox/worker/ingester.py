"""A worker's share of taking rows in: the poll of each source, and the sweeps whose turn is this process's.

A sweep goes on step by step between the worker's batches, so that a large table stops no work.
"""

from collections.abc import Iterator, Sequence

import structlog
from django.db import OperationalError

from inbox import conf
from inbox.db.errors import is_connection_lost, is_statement_timeout
from inbox.db.storable import error_text
from inbox.engine.ingest import INGEST_LIMIT, ingest
from inbox.engine.sweep import SweepKind, return_turn, sweep, take_turn
from inbox.registry import Source

logger = structlog.get_logger("inbox.engine.ingest")


class Ingester:
    """Takes in rows of `sources`.

    With `sweeps_at_once`, a poll does not end before its sweeps. With `is_thorough`, the first one sweeps everything,
    whoever's turn it is.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = sources
        self.sweeps_at_once = False
        self.is_thorough = False
        self.is_hindered = False
        self._limit = INGEST_LIMIT
        self._may_begin_sweeps = False
        self._overdue_s = 0.0
        self._sweeps: list[tuple[Source, SweepKind, Iterator[int]]] = []

    def poll(self) -> bool:
        """Take in a batch of each source; True if that brought something, or if there may be more."""
        try:
            came = [ingest(source, limit=self._limit) for source in self.sources]
            # Rows above the watermark come first; but not for so long that a row behind it slips through.
            self._may_begin_sweeps = not self._sweeps
            self._overdue_s = conf.lookback_s() / 4 if any(ingested.is_full for ingested in came) else 0.0
        except OperationalError as error:
            if is_connection_lost(error):
                raise
            if is_statement_timeout(error):
                # Rows of many megabytes; a few at a time get through.
                self._limit = max(self._limit // 8, 1)
            logger.warning("no rows taken in this time", error=error_text(error))
            self.is_hindered = True
            return True
        self.is_hindered = False
        self._limit = min(self._limit * 2, INGEST_LIMIT)
        count = sum(ingested.count for ingested in came)
        if self.sweeps_at_once:
            self._begin_sweeps()
        while self.sweeps_at_once and self.is_sweeping:
            count += self.sweep_on()
        return count > 0

    @property
    def is_sweeping(self) -> bool:
        return bool(self._sweeps)

    def sweep_on(self) -> int:
        """One step of the sweep in hand, or of one that is due; returns how many jobs it made."""
        self._begin_sweeps()
        if not self._sweeps:
            return 0
        count = next(self._sweeps[0][2], None)
        if count is None:
            self._sweeps.pop(0)
        return count or 0

    def close(self) -> None:
        """Leave what is not swept to another process."""
        for source, kind, _ in self._sweeps:
            return_turn(source, kind)
        self._sweeps = []

    def _begin_sweeps(self) -> None:
        """Not in the poll itself: messages that have just come need not wait for the question whose turn it is."""
        if not self._may_begin_sweeps:
            return
        self._may_begin_sweeps = False
        self._sweeps = [
            (source, kind, sweep(source, kind))
            for source in self.sources
            for kind in SweepKind
            if take_turn(source, kind, overdue_s=self._overdue_s) or self._is_to_be_thorough
        ]
        if self._is_to_be_thorough:
            self.is_thorough = False

    @property
    def _is_to_be_thorough(self) -> bool:
        """Only once all is taken in that lies above the watermark."""
        return self.is_thorough and not self._overdue_s
