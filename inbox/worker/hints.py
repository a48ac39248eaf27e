"""Hints: whether notifications of new work are sent at all, which they are not while the server's queue is filling up.

A worker asks with each of its polls while idle, and polls as one that does not listen until they are sent again.
Failure modes: they stop just after it has asked; then its next poll, the last one after the long interval, tells.
"""

from inbox.db.notify import SHARE, queue_usage
from inbox.events import Event, emit


class Hints:
    """Remembers what it found, so that a change is logged once."""

    def __init__(self) -> None:
        self._are_sent = True

    def are_sent(self) -> bool:
        """Ask the database; logs when the answer changes. Raises OperationalError."""
        usage = queue_usage()
        before, self._are_sent = self._are_sent, usage is not None and usage < SHARE
        if before and not self._are_sent:
            emit(Event.HINTS_STOPPED, reason="it can't be asked" if usage is None else f"{usage:.0%} full")
        elif self._are_sent and not before:
            emit(Event.HINTS_SENT)
        return self._are_sent
