"""Attempts to connect, which a signal can cut short: no work is in hand meanwhile, and a server may never answer.

config/postgresql marks them; the handler of the signal ends the one of the main thread.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError

# For what is still to be written after the signal, in seconds; psycopg takes no less.
HURRIED_TIMEOUT_S = 2

_is_connecting = False
_is_hurried = False


@contextmanager
def connecting() -> Iterator[None]:
    """Marks an attempt of the main thread to connect, for `hurry`; those of other threads go on."""
    global _is_connecting
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _is_connecting = True
    try:
        yield
    finally:
        _is_connecting = False


def is_hurried() -> bool:
    """True if an attempt to connect may take HURRIED_TIMEOUT_S only."""
    return _is_hurried


def hurry() -> None:
    """Called by the handler of a signal, in the main thread. Raises OperationalError out of its attempt to connect."""
    global _is_hurried
    _is_hurried = True
    if _is_connecting:
        raise OperationalError("a signal came while connecting to the database")


def take_time() -> None:
    """Undo `hurry`."""
    global _is_hurried
    _is_hurried = False
