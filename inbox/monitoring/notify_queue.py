"""The server's NOTIFY queue: how full it is, and who keeps it from emptying.

A session that listens, in any database, and does not read keeps everything in the queue. PostgreSQL shows nobody which
sessions listen. But to a notification that finds the queue half full it answers with a warning, at most every 5 s for
all clients together, that names the process to blame; so a look at such a queue notifies. Below that, or between two
such warnings, it is one of these: a session that its client does not read from, as one of a frozen process, or one with
an old transaction.
"""

import re
from dataclasses import asdict, dataclass, field
from typing import Any

import psycopg
from django.db import Error, connection

from inbox.db.notify import CHANNEL, SHARE, queue_usage
from inbox.monitoring.age import in_words

# A listener whose transaction is younger is not yet to blame.
SUSPECT_AFTER_S = 1.0
SHOWN = 3
NAMES_FROM = 0.5
SELECT_SUSPECTS = f"""
SELECT pid, pid = %(named)s AS is_named, datname AS database, usename AS who, application_name AS application,
       host(client_addr) AS address, state, coalesce(wait_event = 'ClientWrite', false) AS is_unread,
       extract(epoch FROM clock_timestamp() - coalesce(xact_start, state_change))::float8 AS since_s
  FROM pg_stat_activity
 WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
   AND (pid = %(named)s OR wait_event = 'ClientWrite'
        OR xact_start < clock_timestamp() - interval '{SUSPECT_AFTER_S} seconds')
 ORDER BY pid = %(named)s DESC, is_unread DESC, xact_start
 LIMIT {SHOWN}
"""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A session that may keep the queue from emptying; `is_named` if the server says so.

    is_unread  its client does not read what it is sent
    since_s    the age of its transaction, or how long its state has lasted
    """

    pid: int
    is_named: bool
    database: str | None
    user: str | None
    application: str | None
    address: str | None
    state: str | None
    is_unread: bool
    since_s: float | None

    @property
    def text(self) -> str:
        """The session in words."""
        state = "its client does not read" if self.is_unread else self.state
        age = f"for {in_words(self.since_s)}" if self.since_s is not None else None
        parts = [f"user {self.user}", f"database {self.database}", self.application, self.address]
        return f"pid {self.pid} ({', '.join(filter(None, [*parts, ' '.join(filter(None, [state, age]))]))})"


@dataclass(frozen=True, slots=True)
class NotifyQueue:
    """`usage` is 0 to 1, None if this role may not ask; `suspects` are looked for above SHARE only, the worst first."""

    usage: float | None
    suspects: list[Suspect] = field(default_factory=list)

    @property
    def is_filling(self) -> bool:
        """Hints are no longer sent."""
        return self.usage is not None and self.usage >= SHARE

    def as_json(self) -> dict[str, Any]:
        suspects = [asdict(suspect) for suspect in self.suspects]
        return {"usage": self.usage, "is_filling": self.is_filling, "suspects": suspects}

    @property
    def warnings(self) -> list[tuple[str, str]]:
        """The problem in words, and the SQL that ends it; none if there is no problem."""
        if not self.is_filling:
            return []
        text = (
            f"The server's NOTIFY queue is {self.usage:.0%} full. Workers poll instead of being notified, "
            "and once it is full, commits of other programs that notify fail. "
        )
        if not self.suspects:
            text += "No session that blocks it can be seen. The server's log names it. To end it, type in psql:"
            return [(text, "SELECT pg_terminate_backend(<pid>);")]
        first, *others = self.suspects
        also = f", or {', '.join(other.text for other in others)}" if others and not first.is_named else ""
        blame = "It is blocked by" if first.is_named else "It may be blocked by"
        return [(f"{text}{blame} {first.text}{also}. To end it, type in psql:", first_aid(first.pid))]


def first_aid(pid: int) -> str:
    """The SQL that ends a session."""
    return f"SELECT pg_terminate_backend({pid});"


def look_at_notify_queue() -> NotifyQueue:
    """The queue as it is now."""
    usage = queue_usage()
    if usage is None or usage < SHARE:
        return NotifyQueue(usage)
    named = _named_by_server() if usage >= NAMES_FROM and not connection.in_atomic_block else None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(SELECT_SUSPECTS, {"named": named})
        return NotifyQueue(usage, [Suspect(*row) for row in cursor.fetchall()])


def _named_by_server() -> int | None:
    """The process that the server blames, if it does at this moment. Its texts are in any language."""
    details: list[str] = []

    def note(notice: psycopg.errors.Diagnostic) -> None:
        details.append(notice.message_detail or "")

    connection.ensure_connection()
    raw = connection.connection
    raw.add_notice_handler(note)
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {CHANNEL}")
    except Error:
        # It is full. The warning comes first.
        pass
    finally:
        raw.remove_notice_handler(note)
    numbers = re.findall(r"\d+", " ".join(details))
    return int(numbers[0]) if numbers else None
