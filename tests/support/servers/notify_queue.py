"""The NOTIFY queue of a server, blocked and filled as strangers do it. One queue serves all databases of a server."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

# The least that PostgreSQL takes: 512 kB. Before PostgreSQL 17 the queue holds 8 GB, whatever is set.
SMALL = {"max_notify_queue_pages": "64"}
CHANNEL = "strangers"
# A notification is at most 8,000 bytes and does not go over the end of a page: this one takes a page.
PAGEFUL = "x" * 7_900


@contextmanager
def blocked(raw: psycopg.Connection) -> Iterator[int]:
    """Let this session, in autocommit, listen and stay idle in a transaction: until then nothing leaves the queue.

    Yields its pid. Any database of the server will do. At the end the server drops what nobody waits for.
    """
    raw.execute(f"LISTEN {CHANNEL}")
    raw.execute("BEGIN")
    raw.execute("SELECT 1")
    try:
        yield raw.info.backend_pid
    finally:
        # Somebody may have ended the session.
        with suppress(psycopg.OperationalError):
            raw.execute("ROLLBACK")
            raw.execute(f"UNLISTEN {CHANNEL}")


def fill(raw: psycopg.Connection, share: float = 1.0) -> None:
    """Notify, in autocommit, until the queue is so full; for 1, until the server refuses."""
    while usage(raw) < share:
        with suppress(psycopg.errors.ProgramLimitExceeded):
            raw.execute("SELECT pg_notify(%s, %s)", [CHANNEL, PAGEFUL])


def usage(raw: psycopg.Connection) -> float:
    """How full the queue is, 0 to 1. To ask makes the server drop what nobody waits for, which it else does lazily."""
    row = raw.execute("SELECT pg_notification_queue_usage()").fetchone()
    assert row
    return row[0]


def is_full(raw: psycopg.Connection) -> bool:
    """True if the server refuses a notification."""
    usage(raw)
    try:
        raw.execute(f"NOTIFY {CHANNEL}")
    except psycopg.errors.ProgramLimitExceeded:
        return True
    return False
