"""The direct way to the server: makes the connection of a presence in a thread, and nobody waits long for it.

Failure mode: the way accepts and never answers. Then the worker goes on without a presence until connecting gives up.
"""

from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Thread

import psycopg
from django.conf import settings
from django.db import OperationalError, connection

# A server that is well answers within milliseconds, and so its worker has a presence before its first claim.
PATIENCE_S = 1.0


class NotYet(OperationalError):
    """the direct way to the database has not answered yet"""


class DirectWay:
    """Makes one connection at a time, by `connect`."""

    def __init__(self, connect: Callable[[], psycopg.Connection] | None = None) -> None:
        self._connect = connect or connect_directly
        self._made: Future[psycopg.Connection] | None = None

    def connection(self) -> psycopg.Connection:
        """A new connection. Raises NotYet while it is being made, and whatever connecting raises."""
        patience_s = 0.0
        if self._made is None:
            self._made, patience_s = Future(), PATIENCE_S
            # A daemon, as the process must be able to end meanwhile.
            Thread(target=_fulfil, args=(self._made, self._connect), daemon=True).start()
        if wait([self._made], patience_s).not_done:
            raise NotYet("the direct way to the database has not answered yet")
        made, self._made = self._made, None
        return made.result()


def _fulfil(made: Future[psycopg.Connection], connect: Callable[[], psycopg.Connection]) -> None:
    try:
        made.set_result(connect())
    except BaseException as error:
        made.set_exception(error)


def connect_directly() -> psycopg.Connection:
    """A connection by DATABASE_DIRECT_URL, or DATABASE_URL if that is not set. Raises psycopg.Error."""
    wrapper = connection.copy()
    wrapper.settings_dict |= settings.DATABASE_DIRECT or {}
    raw: psycopg.Connection = wrapper.get_new_connection(wrapper.get_connection_params())
    raw.autocommit = True
    return raw
