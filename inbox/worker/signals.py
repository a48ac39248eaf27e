"""Signals: the first SIGTERM, SIGINT or SIGHUP asks to stop after the batch in hand, the second stops now."""

import os
import select
import signal
import time
from contextlib import suppress
from math import ceil
from types import FrameType
from typing import Any, Protocol

from inbox.db.connecting import hurry, take_time

# GNU timeout and some supervisors signal a process and then its whole group: one request that arrives twice. A person's
# second Ctrl-C comes later than this.
SAME_REQUEST_S = 0.2
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# 24 days, in milliseconds: poll() takes no longer time, and a wait that ends early does no harm.
LONGEST_WAIT_MS = 2**31 - 1


class HasFileno(Protocol):
    def fileno(self) -> int: ...


def wait_readable(timeout_s: float, *readers: HasFileno | int) -> None:
    """Sleep for `timeout_s` seconds, at most 24 days, or until one of `readers` has something to read, or has ended."""
    # Not select(), which takes no descriptor above 1023.
    poll = select.poll()
    for reader in readers:
        poll.register(reader, select.POLLIN)
    poll.poll(min(ceil(max(timeout_s, 0) * 1000), LONGEST_WAIT_MS))


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
        self._before: dict[signal.Signals, Any] = {}

    def install(self) -> None:
        """Take over SIGTERM, SIGINT and SIGHUP of this process. SIGHUP stays ignored if it is, as under nohup."""
        for number in SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._on_signal)

    def uninstall(self) -> None:
        """Give the signals back to whatever had them before."""
        take_time()
        while self._before:
            signal.signal(*self._before.popitem())

    def ask(self) -> None:
        """Stop after the batch in hand."""
        if not self.is_asked:
            self.is_asked = True
            self._asked_at = time.monotonic()
            os.write(self._write_end, b".")

    def wait(self, timeout_s: float, *others: HasFileno) -> None:
        """Sleep for `timeout_s` seconds, or until asked to stop, or until one of `others` has something to read."""
        wait_readable(timeout_s, self._read_end, *others)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if not self.is_asked:
            self.ask()
            _tell(b"Stopping after the batch in hand; a second signal stops now.\n")
            hurry()
        elif time.monotonic() - self._asked_at >= SAME_REQUEST_S:
            raise StopNow


def _tell(text: bytes) -> None:
    """Write a line to stderr from a handler; drops it where nobody reads, as a full pipe would hold the process up.

    Not by logging or sys.stderr: their locks may be held by what the signal has interrupted.
    """
    poll = select.poll()
    poll.register(2, select.POLLOUT)
    with suppress(OSError):
        if poll.poll(0):
            os.write(2, text)
