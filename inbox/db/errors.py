"""Tells what a database error means, and waits for a database that does not answer yet."""

import random
import time

from django.db import Error, InterfaceError, OperationalError, connection

# The server is shutting down, gone, or has become a standby; the same statement may work on a new connection.
CONNECTION_SQLSTATES = frozenset(["57P01", "57P02", "57P03", "25006", "53300"])
RETRY_SQLSTATES = frozenset(["40P01", "40001"])


def _sqlstate(error: BaseException) -> str | None:
    cause = error.__cause__ or error
    return getattr(cause, "sqlstate", None)


def is_deadlock(error: BaseException) -> bool:
    """True if the server chose this transaction as the victim of a deadlock or a serialization failure."""
    return _sqlstate(error) in RETRY_SQLSTATES


def is_statement_timeout(error: BaseException) -> bool:
    """True if the server ended the statement because it took longer than statement_timeout."""
    return _sqlstate(error) == "57014"


def is_connection_lost(error: BaseException) -> bool:
    """True if the connection is gone or useless, whether the server said so or just vanished."""
    if not isinstance(error, Error):
        return False
    # By code first: "read-only transaction", of a primary that has become a standby, comes as an InternalError.
    sqlstate = _sqlstate(error)
    if sqlstate is not None and (sqlstate in CONNECTION_SQLSTATES or sqlstate.startswith("08")):
        return True
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    raw = connection.connection
    return raw is None or raw.closed or raw.broken


class NoDatabase(Exception):
    """No database answered in time."""


def wait_for_database(timeout_s: float) -> None:
    """Connect, trying again with growing, jittered pauses for `timeout_s` seconds. Raises NoDatabase."""
    deadline = time.monotonic() + timeout_s
    pause_s = 0.1
    while True:
        try:
            connection.close()
            connection.ensure_connection()
        except OperationalError as error:
            if time.monotonic() + pause_s > deadline:
                reason = str(error).strip().splitlines()[0]
                raise NoDatabase(f"could not reach the database for {timeout_s:g} s: {reason}") from error
            time.sleep(pause_s * random.uniform(0.5, 1))  # noqa: S311 not a secret
            pause_s = min(pause_s * 2, 2)
        else:
            return
