"""Signals: the first SIGTERM or SIGINT asks to stop after the batch in hand, the second stops now."""

import os
import select
import signal
import time
from types import FrameType
from typing import Any, Protocol

# GNU timeout and some supervisors signal a process and then its whole group: one request that arrives twice. A person's
# second Ctrl-C comes later than this.
SAME_REQUEST_S = 0.2


class HasFileno(Protocol):
    def fileno(self) -> int: ...


class StopNow(KeyboardInterrupt):
    """The second signal: the transaction in hand is rolled back and its jobs are given back."""


class Stop:
    """Becomes true at the first signal; a wait on it ends at once.

    The handler writes to a pipe, because setting a threading.Event inside a signal handler can deadlock.
    """

    def __init__(self) -> None:
        self.is_asked = False
        self._asked_at = 0.0
        self._read_end, self._write_end = os.pipe()

    def install(self) -> None:
        """Take over SIGTERM and SIGINT of this process."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)

    def ask(self) -> None:
        """Stop after the batch in hand."""
        if not self.is_asked:
            self.is_asked = True
            self._asked_at = time.monotonic()
            os.write(self._write_end, b".")

    def wait(self, timeout_s: float, *others: HasFileno) -> None:
        """Sleep for `timeout_s` seconds, or until asked to stop, or until one of `others` has something to read."""
        readers: list[Any] = [self._read_end, *others]
        select.select(readers, [], [], max(timeout_s, 0))

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if not self.is_asked:
            self.ask()
            # Not by logging or sys.stderr: their locks may be held by what the signal has interrupted.
            os.write(2, b"Stopping after the batch in hand; a second signal stops now.\n")
        elif time.monotonic() - self._asked_at >= SAME_REQUEST_S:
            raise StopNow
