"""The oldest transaction of the server. While one is open, dead rows can't be cleaned up, and claims step over them.

A forgotten `BEGIN`, a long report or a standby's slot makes claims many times slower within a minute.
"""

from dataclasses import dataclass, field

from django.db import connection

from inbox.monitoring.age import in_words

WARN_AFTER_S = 60.0
# A slot has no time, only a count of the transactions since. At full speed it is some 20 minutes.
WARN_AFTER_TRANSACTIONS = 100_000

# One row for each kind: a transaction that keeps rows from being cleaned up, and one that only keeps its locks. A
# reader of another database is of the second kind; a writer is of the first wherever it writes.
SELECT_OLDEST = """
SELECT DISTINCT ON (holds) holds, age_s, pid, gid, database, who, application, state FROM (
    SELECT backend_xid IS NOT NULL OR (backend_xmin IS NOT NULL AND datname = current_database()) AS holds,
           extract(epoch FROM clock_timestamp() - xact_start)::float8 AS age_s, pid, NULL AS gid,
           datname AS database, usename AS who, application_name AS application, state
      FROM pg_stat_activity
     WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() AND backend_type = 'client backend'
     UNION ALL
    SELECT true, extract(epoch FROM clock_timestamp() - prepared)::float8, NULL, gid,
           database, owner, '', 'prepared'
      FROM pg_prepared_xacts) AS open
 ORDER BY holds DESC, age_s DESC
"""
COUNT_HIDDEN = """
SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL AND query = '<insufficient privilege>'
"""
SELECT_SLOT = """
SELECT slot_name, age(xmin) FROM pg_replication_slots WHERE xmin IS NOT NULL ORDER BY age(xmin) DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """A transaction of a session (`pid`), or a prepared one (`gid`)."""

    holds_back_cleanup: bool
    age_s: float
    pid: int | None
    gid: str | None
    database: str
    user: str
    application: str
    state: str

    @property
    def whose(self) -> str:
        """The process or the name by which it can be ended."""
        return f"pid {self.pid}" if self.pid is not None else f"prepared as {self.gid}"

    @property
    def warning(self) -> tuple[str, str]:
        """The problem in words, and the SQL that ends it."""
        parts = [self.whose, f"user {self.user}", f"database {self.database}", self.application]
        if self.pid is not None:
            parts.append(self.state)
        harm = (
            "While it is open, dead rows can't be cleaned up, and claims get slower and slower."
            if self.holds_back_cleanup
            else "It keeps its locks: a migration has to wait for it."
        )
        text = f"A transaction has been open for {in_words(self.age_s)} ({', '.join(filter(None, parts))}). {harm}"
        end = f"SELECT pg_terminate_backend({self.pid});" if self.pid else f"ROLLBACK PREPARED {_quoted(self.gid)};"
        return f"{text} To end it, type in psql:", end


@dataclass(frozen=True, slots=True)
class Slot:
    """A replication slot, and how many transactions ago the oldest rows that it keeps were in use."""

    name: str
    transactions: int


@dataclass(frozen=True, slots=True)
class Transactions:
    """The oldest open transactions, at most one of each kind, and how many sessions this user may not look into."""

    oldest: list[OpenTransaction] = field(default_factory=list)
    hidden: int = 0
    slot: Slot | None = None

    @property
    def oldest_s(self) -> float | None:
        """The age of the oldest one, of either kind."""
        return max((transaction.age_s for transaction in self.oldest), default=None)


def find_transactions() -> Transactions:
    """Those that are open now."""
    with connection.cursor() as cursor:
        # Inside a transaction the view would stand still.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(SELECT_OLDEST)
        oldest = [OpenTransaction(*row) for row in cursor.fetchall()]
        cursor.execute(COUNT_HIDDEN)
        (hidden,) = cursor.fetchone()
        cursor.execute(SELECT_SLOT)
        slot = cursor.fetchone()
    return Transactions(oldest, hidden, Slot(*slot) if slot else None)


def warnings(found: Transactions) -> list[tuple[str, str]]:
    """Each problem in words, and the SQL to type."""
    result = [transaction.warning for transaction in found.oldest if transaction.age_s >= WARN_AFTER_S]
    if found.slot and found.slot.transactions >= WARN_AFTER_TRANSACTIONS:
        text = (
            f"The replication slot {found.slot.name} holds back {found.slot.transactions:,} transactions: dead rows "
            "accumulate, and claims get slower. If its standby is gone for good, drop it:"
        )
        result.append((text, f"SELECT pg_drop_replication_slot({_quoted(found.slot.name)});"))
    if found.hidden:
        text = f"{found.hidden} sessions of other users can't be inspected. As a superuser, type:"
        result.append((text, f"GRANT pg_read_all_stats TO {_current_user()};"))
    return result


def _quoted(text: str | None) -> str:
    return "'" + (text or "").replace("'", "''") + "'"


def _current_user() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_user)")
        return cursor.fetchone()[0]
