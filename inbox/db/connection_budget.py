"""Budget: how many database connections all processes of the project use together, and how many they may use.

Each process counts the sessions of all of them, on all hosts, by their name in pg_stat_activity. The web and logins
keep DB_CONNECTIONS_RESERVED of DB_CONNECTION_BUDGET; the rest is the share of all other processes. At 70 % of that
share they warn; at 95 % a worker opens no further connection and takes small batches; a process that finds it used up
does not start. The budget is never more than the server allows ordinary users, and the sessions of other clients count
against it as soon as they leave less than the share.

Failure modes: the count is a moment old, and behind a pooler it is the pooler's sessions that are counted. A role
without pg_read_all_stats sees no start times of other roles' sessions and takes them for older than its own.
Settings: DB_CONNECTION_BUDGET, DB_CONNECTIONS_RESERVED, DB_APPLICATION_NAME.
"""

import random
import time
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection

from inbox.db.storable import error_text

WARN_AT = 0.7
TIGHT_AT = 0.95
# Tight until the use has fallen below this: the connection that is opened then must not make it tight again.
EASE_AT = 0.9
# So many processes may check at the same time whether they may start, each with a connection.
MOST_CHECK = 3
WEB = "web"
# Between two checks of a process that waits to start.
PAUSE_S = (1.0, 4.0)

# The start time is null for sessions that this role may not look into. Walsenders have slots of their own.
COUNT_SESSIONS = """
WITH session AS MATERIALIZED (
    SELECT pid, coalesce(backend_start, '-infinity') AS born,
           CASE WHEN datname = current_database() AND application_name LIKE %(name)s || '-%%'
                THEN substr(application_name, length(%(name)s) + 2) END AS kind
      FROM pg_stat_activity
     WHERE datname IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend'
)
SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
       - coalesce(current_setting('reserved_connections', true)::int, 0),
       (SELECT count(*) FROM session),
       (SELECT count(*) FROM session WHERE kind <> 'web'
           AND (born, pid) <= (SELECT born, pid FROM session WHERE pid = pg_backend_pid())),
       ARRAY(SELECT kind FROM session WHERE kind IS NOT NULL GROUP BY kind ORDER BY kind),
       ARRAY(SELECT count(*) FROM session WHERE kind IS NOT NULL GROUP BY kind ORDER BY kind)
"""


class Level(IntEnum):
    """How full the share is."""

    FINE = 0
    BUSY = 1
    TIGHT = 2
    FULL = 3


@dataclass(frozen=True, slots=True)
class Connections:
    """The use of connections at one moment.

    by_kind   sessions of this project in this database, by kind of process (web, worker, …)
    sessions  client sessions of the server, of all clients
    usable    how many the server allows ordinary users
    budget    for all processes of this project, never more than `usable`
    reserved  of it, for the web and logins
    rank      this process's place among the project's sessions that are not the web's, the oldest first
    """

    by_kind: dict[str, int]
    sessions: int
    usable: int
    budget: int
    reserved: int
    rank: int

    @property
    def web(self) -> int:
        """Sessions of the web."""
        return self.by_kind.get(WEB, 0)

    @property
    def background(self) -> int:
        """Sessions of all other processes."""
        return sum(self.by_kind.values()) - self.web

    @property
    def share(self) -> int:
        """How many sessions those may have."""
        return max(self.budget - self.reserved, 0)

    @property
    def room_of_server(self) -> int:
        """How many more the server has, without those that the web has reserved and not taken yet."""
        return self.usable - self.sessions - max(self.reserved - self.web, 0)

    @property
    def room(self) -> int:
        """How many more may be opened; below 0 if there are too many."""
        return min(self.share - self.background, self.room_of_server)

    @property
    def used(self) -> float:
        """How much of the share is gone, 1 at its end."""
        return (self.share - self.room) / self.share if self.share else float("inf")

    @property
    def level(self) -> Level:
        """By `used`, but FULL as soon as there is no room."""
        if self.room <= 0:
            return Level.FULL
        if self.used >= TIGHT_AT:
            return Level.TIGHT
        return Level.BUSY if self.used >= WARN_AT else Level.FINE

    @property
    def may_start(self) -> bool:
        """This process, whose session is counted already, is within the share. The oldest of many at once are.

        The last places of the share stay free for processes that check: even that needs a connection.
        """
        return self.rank <= self.share - max(1, min(MOST_CHECK, self.share // 10)) and self.room_of_server >= 0

    @property
    def warning(self) -> str | None:
        """For people; None if all is fine."""
        if self.level is Level.FINE:
            return None
        return (
            f"{self.background} of {self.share} database connections for workers and commands are in use, the server "
            f"has {self.usable - self.sessions} free: run fewer processes, raise DB_CONNECTION_BUDGET, or use a pooler"
        )

    def as_json(self) -> dict[str, Any]:
        """All but the rank, which is of this process alone."""
        names = ("by_kind", "background", "web", "share", "room", "used", "budget", "reserved", "warning")
        server = {"usable": self.usable, "sessions": self.sessions}
        return {**{name: getattr(self, name) for name in names}, "level": self.level.name, "server": server}


def count_connections() -> Connections:
    """Count now."""
    with connection.cursor() as cursor:
        if connection.in_atomic_block:
            # Inside a transaction the view would stand still.
            cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(COUNT_SESSIONS, {"name": settings.DB_APPLICATION_NAME})
        usable, sessions, rank, kinds, counts = cursor.fetchone()
    budget, reserved = settings.DB_CONNECTION_BUDGET, settings.DB_CONNECTIONS_RESERVED
    if usable < budget:
        # A small server can't reserve twenty; a quarter for the web leaves enough to work with.
        budget, reserved = usable, min(reserved, usable // 4)
    return Connections(dict(zip(kinds, counts, strict=True)), sessions, usable, budget, reserved, rank)


class NoRoom(Exception):
    """Other processes use all connections that this one could have."""


def wait_for_room(timeout_s: float) -> Connections:
    """Return once this process may start; it keeps no connection while it waits. Raises NoRoom after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            found = count_connections()
        except OperationalError as error:
            why = error_text(error).strip().splitlines()[0]
        else:
            if found.may_start:
                return found
            why = (
                f"{found.background} of {found.share} not reserved for the web are in use, "
                f"and {found.sessions} of {found.usable} of the server"
            )
        connection.close()
        pause_s = random.uniform(*PAUSE_S)  # noqa: S311 not a secret
        if time.monotonic() + pause_s > deadline:
            raise NoRoom(f"no database connection was free for {timeout_s:g} s: {why}")
        time.sleep(pause_s)
