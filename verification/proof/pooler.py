"""Is there a pooler between this process and the server, and can the proofs go through it?"""

import select
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
        waiting = set(clients)
        while waiting:
            readable, _, _ = select.select(waiting, [], [], max(0, deadline - time.monotonic()))
            if not readable:
                break
            for client in readable:
                client.pgconn.consume_input()
                if not client.pgconn.is_busy():
                    waiting.remove(client)
        for client in clients:
            client.pgconn.finish()
        return not waiting


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
