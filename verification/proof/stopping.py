"""Signals that ask the command to stop: each is raised as KeyboardInterrupt, so that what was begun is taken back."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(Exception):
    """The command was asked to stop, and has taken back what it began."""


@contextmanager
def stops_raise() -> Iterator[Callable[[], None]]:
    """SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt while the block lasts; yields what makes them do nothing.

    One that the process ignores, as under nohup, stays ignored. Only the main thread can take signals over.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    before = {number: signal.getsignal(number) for number in STOPS}
    taken = [number for number, handler in before.items() if handler is not signal.SIG_IGN]

    def ignore() -> None:
        for number in taken:
            signal.signal(number, signal.SIG_IGN)

    for number in taken:
        signal.signal(number, _interrupt)
    try:
        yield ignore
    finally:
        for number in taken:
            signal.signal(number, before[number])


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
