"""Signals before and after a command has its own handlers: the process ends at once, as no work is in hand.

Without this, SIGTERM has no effect on a process that is PID 1, as in a container, until the command begins to work:
while it imports, waits for its database, or waits for a free connection.
"""

import os
import select
import signal
from contextlib import suppress
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def end_on_signals() -> None:
    """End this process with exit code 0 at the first signal. SIGHUP stays ignored if it is, as under nohup."""
    for number in SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def ignore_signals() -> None:
    """The command is over. Python takes its handlers away while it ends; a request to stop that comes twice, as from
    GNU timeout, would kill it then, and its exit code would be that of a failure.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _end(number: int, frame: FrameType | None) -> None:
    # Not by sys.stderr, whose lock may be held by what the signal has interrupted, and not into a pipe that is full.
    poll = select.poll()
    poll.register(2, select.POLLOUT)
    with suppress(OSError):
        if poll.poll(0):
            os.write(2, b"Stopped; no work was in hand.\n")
    # An exception could be caught by whatever has been interrupted.
    os._exit(0)
