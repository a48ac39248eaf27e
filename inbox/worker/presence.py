"""Presence: a worker process shows that it is alive by a session lock, which vanishes with it.

An idle connection of its own holds an advisory lock on its inbox_worker.id and LISTENs for work. A row without its lock
means that the process is gone (liveness.py). Presence decides only when jobs are reclaimed; the lease decides what is
true, so a wrong verdict costs time and nothing else.

The connection must reach the server itself: DATABASE_DIRECT_URL, if DATABASE_URL leads to a pooler. Behind a pooler
there is no presence; claims are then reclaimed by age, and polling finds the work.
"""

import os
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
from django.db import OperationalError

from inbox.db.connection_budget import count_connections
from inbox.db.notify import CHANNEL
from inbox.db.storable import host_name
from inbox.events import Event, emit
from inbox.models import InboxWorker
from inbox.worker.direct_way import connect_directly

# With an inbox_worker.id, the key of the advisory lock. Any number that nobody else uses; this is "inbx".
LOCK_CLASS = 0x696E6278
# The second half of the key has 31 bits; after so many processes it begins again.
LOCK_IDS = 2**31
# With the number of the table inbox_worker, a second lock of the same session, which says whose worker it is: there may
# be another ServiceOps in another schema, with the same ids. Any number that nobody else uses; this is "inbs".
INSTALLATION_CLASS = 0x696E6273

# Table numbers have 32 bits without a sign, keys have one. Shared, like the lock on the id: all workers have it.
LOCK_INSTALLATION = f"""
SELECT pg_advisory_lock_shared({INSTALLATION_CLASS}, 'inbox_worker'::regclass::oid::bigint::bit(32)::int)
"""
INSERT_WORKER = """
INSERT INTO inbox_worker (instance_id, worker_id, command, host, pid, has_presence)
VALUES (%s, %s, %s, %s, %s, %s) RETURNING id
"""


def default_worker_id() -> str:
    """A name that no other live process has: host, pid and a random tail, since pids and container names recur."""
    return f"{host_name()}:{os.getpid()}:{uuid4().hex[:6]}"


class PresenceLost(OperationalError):
    """the connection that shows this process's presence is gone"""


class Presence:
    """One registration of this process: a row of inbox_worker, and the connection that holds its lock."""

    def __init__(
        self,
        worker_id: str,
        command: str,
        *,
        has_own_connection: bool = True,
        connect: Callable[[], psycopg.Connection] = connect_directly,
    ) -> None:
        """Register with a connection that `connect` gives, or without one. Raises OperationalError."""
        self.is_makeshift = not has_own_connection
        if self.is_makeshift:
            self.is_seen = False
            names = {"worker_id": worker_id, "command": command, "host": host_name(), "pid": os.getpid()}
            self.id = InboxWorker.objects.create(instance_id=uuid4(), **names).pk
            return
        try:
            self._connection = connect()
        except psycopg.OperationalError as error:
            raise OperationalError(str(error)) from error
        try:
            self.is_seen = _is_direct(self._connection)
            if self.is_seen:
                self._refuse_beyond_share()
            self.id = self._register(worker_id, command)
        except psycopg.Error as error:
            self.close()
            raise PresenceLost(str(error)) from error
        except OperationalError:
            self.close()
            raise
        if not self.is_seen:
            self.close()
            emit(Event.POOLER_BETWEEN)

    def _refuse_beyond_share(self) -> None:
        """Many workers may have counted, and seen room, at the same moment: now that this one has connected, again.

        Whoever counts last sees all that stay, so never too many do. All may leave; they try again later.
        """
        found = count_connections()
        if found.room < 0:
            raise OperationalError(f"{found.background} of {found.share} connections not kept for the web are in use")

    def _register(self, worker_id: str, command: str) -> int:
        if self.is_seen:
            self._connection.execute(f"LISTEN {CHANNEL}")
            # Before the other, so that nobody ever sees that one alone.
            self._connection.execute(LOCK_INSTALLATION)
        instance_id = uuid4()
        # One transaction: nobody ever sees the row without its lock.
        with self._connection.transaction():
            row = (instance_id, worker_id, command, host_name(), os.getpid(), self.is_seen)
            worker = _value(self._connection, INSERT_WORKER, *row)
            if self.is_seen:
                self._connection.execute("SELECT pg_advisory_lock_shared(%s, %s)", [LOCK_CLASS, worker % LOCK_IDS])
        if not InboxWorker.objects.filter(pk=worker, instance_id=instance_id).exists():
            self._connection.execute("DELETE FROM inbox_worker WHERE id = %s", [worker])
            raise OperationalError("DATABASE_DIRECT_URL leads to another database than DATABASE_URL")
        return worker

    @property
    def presence_id(self) -> int | None:
        """The mark of this process on its claims; None if others can't see whether it is alive."""
        return self.id if self.is_seen else None

    def fileno(self) -> int:
        """For poll(): readable when there is a notification, or when the connection is gone. Raises PresenceLost."""
        try:
            return self._connection.fileno()
        except psycopg.Error as error:
            raise PresenceLost(str(error)) from error

    def has_notification(self) -> bool:
        """True if something was notified since the last call; never waits. Raises PresenceLost."""
        try:
            return bool(list(self._connection.notifies(timeout=0)))
        except psycopg.Error as error:
            raise PresenceLost(str(error)) from error

    def close(self) -> None:
        """Give up the lock."""
        if not self.is_makeshift:
            self._connection.close()


def _is_direct(raw: psycopg.Connection) -> bool:
    """A pooler answers with a backend number of its own making; session locks and LISTEN don't work through it."""
    return _value(raw, "SELECT pg_backend_pid()") == raw.info.backend_pid


def _value(raw: psycopg.Connection, sql: str, *parameters: Any) -> int:
    row = raw.execute(sql, parameters).fetchone()
    if row is None:
        raise PresenceLost("the database gave no answer")
    return row[0]
