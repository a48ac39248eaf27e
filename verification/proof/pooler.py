"""Is there a pooler between this process and the server, and can the proofs go through it?"""

import selectors
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection, connections

# The most sessions of a race that have a transaction open at the same time, and some more.
SESSIONS = 16
ANSWERS_WITHIN_S = 5.0


def leads_to_pooler(raw: psycopg.Connection[Any]) -> bool:
    """True if `raw` ends at a pooler, which answers with a backend number of its own making."""
    row = raw.execute("SELECT pg_backend_pid()").fetchone()
    return row is None or row[0] != raw.info.backend_pid


def reaches_through_pooler(url: str) -> bool:
    """True if there is a database at `url` with enough sessions for a race, which would not end with fewer."""
    with ExitStack() as opened:
        try:
            clients = [
                opened.enter_context(psycopg.connect(url, autocommit=True, connect_timeout=int(ANSWERS_WITHIN_S)))
                for _ in range(SESSIONS)
            ]
        except psycopg.Error:
            return False
        for client in clients:
            client.pgconn.send_query(b"BEGIN")
        deadline = time.monotonic() + ANSWERS_WITHIN_S
        with selectors.DefaultSelector() as waiting:
            for client in clients:
                waiting.register(client.pgconn.socket, selectors.EVENT_READ, client.pgconn)
            while waiting.get_map() and (readable := waiting.select(max(0, deadline - time.monotonic()))):
                for key, _ in readable:
                    key.data.consume_input()
                    if not key.data.is_busy():
                        waiting.unregister(key.fd)
            answered = not waiting.get_map()
        for client in clients:
            client.pgconn.finish()
        return answered


@contextmanager
def past_the_pooler() -> Iterator[None]:
    """New sessions of this process reach the server itself while the block lasts, if there is a pooler."""
    address = connections.settings["default"]
    before = dict(address)
    connection.close()
    address.update(settings.DATABASE_DIRECT or {})
    try:
        yield
    finally:
        connection.close()
        address.clear()
        address.update(before)
