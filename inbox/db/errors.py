"""Tells what a database error means, and waits for a database that does not answer yet."""

import random
import time

from django.db import Error, InterfaceError, OperationalError, connection

from inbox.db.session_proof import refusal
from inbox.db.sqlstates import Meaning, known
from inbox.db.storable import error_text


def meaning_of(error: BaseException) -> Meaning:
    """Tells what to do about it; CONNECTION for every lost connection, also one that is gone without a word.

    MESSAGE for all that is no error of the database, or has no SQLSTATE.
    """
    if is_connection_lost(error):
        return Meaning.CONNECTION
    return known(_sqlstate(error)).meaning if isinstance(error, Error) else Meaning.MESSAGE


def is_refusal(error: BaseException) -> bool:
    """True if the same may work later, on the same connection. A lost connection is none, and neither is a bug."""
    meaning = meaning_of(error)
    return meaning is not Meaning.CONNECTION and (meaning is not Meaning.MESSAGE or isinstance(error, OperationalError))


def is_deadlock(error: BaseException) -> bool:
    """True if the server chose this transaction as the victim of a deadlock or a serialization failure."""
    return known(_sqlstate(error)).meaning is Meaning.COLLISION


def is_statement_timeout(error: BaseException) -> bool:
    """True if the server ended the statement because it took longer than statement_timeout."""
    return _sqlstate(error) == "57014"


def is_lock_timeout(error: BaseException) -> bool:
    """True if the server gave no lock in time, or ended a statement that may have waited for one."""
    return _sqlstate(error) in ("55P03", "57014")


def is_table_missing(error: BaseException) -> bool:
    """True if a table is not there, or not where search_path leads."""
    return _sqlstate(error) == "42P01"


def is_connection_lost(error: BaseException) -> bool:
    """True if the connection is gone or useless, whether the server said so or just vanished."""
    if not isinstance(error, Error):
        return False
    # By code first: "read-only transaction", of a primary that has become a standby, comes as an InternalError.
    if known(_sqlstate(error)).meaning in (Meaning.CONNECTION, Meaning.AWAY):
        return True
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    raw = connection.connection
    return raw is None or raw.closed or raw.broken


def is_server_away(error: BaseException) -> bool:
    """True if the connection is lost and the server said why: it stops, is read-only, or somebody ended the session."""
    return known(_sqlstate(error)).meaning is Meaning.AWAY


def _sqlstate(error: BaseException) -> str | None:
    cause = error.__cause__ or error
    return getattr(cause, "sqlstate", None)


class NoDatabase(Exception):
    """No database answered in time."""


def wait_for_database(timeout_s: float) -> None:
    """Connect, trying again with growing, jittered pauses for `timeout_s` seconds.

    Raises NoDatabase, and OperationalError at once if the session is unfit: that does not end by itself.
    """
    deadline = time.monotonic() + timeout_s
    pause_s = 0.1
    while True:
        try:
            connection.close()
            connection.ensure_connection()
        except OperationalError as error:
            if refusal(error):
                raise
            if time.monotonic() + pause_s > deadline:
                reason = error_text(error).strip().splitlines()[0]
                raise NoDatabase(f"could not reach the database for {timeout_s:g} s: {reason}") from error
            time.sleep(pause_s * random.uniform(0.5, 1))  # noqa: S311 not a secret
            pause_s = min(pause_s * 2, 2)
        else:
            return
