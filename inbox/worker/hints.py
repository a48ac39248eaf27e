"""Hints: whether notifications of new work are sent at all, which they are not while the server's queue is filling up.

A worker asks with each of its polls while idle, and polls as one that does not listen until they are sent again.
Failure modes: they stop just after it has asked; then its next poll, the last one after the long interval, tells. A
role that may not ask for the queue gets no hints either.
"""

from collections.abc import Sequence

from django.db import ProgrammingError
from psycopg.errors import InsufficientPrivilege

from inbox.db.notify import QUEUE_USAGE, SHARE
from inbox.engine.has_work import look_for_work
from inbox.events import Event, emit
from inbox.registry import Source


class Hints:
    """Remembers what it found, so that a change is logged once."""

    def __init__(self) -> None:
        self.are_sent = True
        self._asks = QUEUE_USAGE

    def look_for_work(self, sources: Sequence[Source]) -> bool:
        """True if a poll of the sources would find anything; finds out on the way whether hints are sent."""
        try:
            found, usage = look_for_work(sources, self._asks)
        except ProgrammingError as error:
            if not isinstance(error.__cause__, InsufficientPrivilege) or self._asks != QUEUE_USAGE:
                raise
            # Another right may be missing instead, for now; then this raises again.
            found, usage = look_for_work(sources, "NULL")
            self._asks = "NULL"
        self._note(usage)
        return found

    def _note(self, usage: float | None) -> None:
        before, self.are_sent = self.are_sent, usage is not None and usage < SHARE
        if before and not self.are_sent:
            reason = "this role may not see how full it is" if usage is None else f"it is {usage:.0%} full"
            emit(Event.HINTS_STOPPED, reason=reason)
        elif self.are_sent and not before:
            emit(Event.HINTS_SENT)
