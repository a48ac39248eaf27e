"""Blockers: which other sessions hold, or wait for, a lock on a table of ours that our statements cannot go beside.

A prepared transaction holds its locks without a session. For people only. A row that somebody has locked does not show
here: the server tells of that only while we wait.
"""

from contextlib import suppress
from typing import NamedTuple

from django.db import Error, connection

from inbox.db.errors import is_lock_timeout
from inbox.db.storable import error_text, storable

# The modes that a plain INSERT, UPDATE or DELETE has to wait for. Asked beside the transaction that waited: at its end
# the server has forgotten what for. The queue behind a lock that is not granted yet is as closed.
SELECT_BLOCKERS = """
SELECT class.relname, held.pid, coalesce(activity.application_name, prepared.gid), held.granted,
       extract(epoch FROM clock_timestamp() - coalesce(activity.xact_start, prepared.prepared))::float8,
       CASE WHEN NOT held.granted THEN pg_blocking_pids(held.pid) END
  FROM pg_locks AS held
  JOIN pg_class AS class ON class.oid = held.relation
  LEFT JOIN pg_stat_activity AS activity ON activity.pid = held.pid
  LEFT JOIN pg_locks AS own
    ON held.pid IS NULL AND own.pid IS NULL AND own.locktype = 'transactionid'
       AND own.virtualtransaction = held.virtualtransaction
  LEFT JOIN pg_prepared_xacts AS prepared ON prepared.transaction = own.transactionid
 WHERE held.locktype = 'relation' AND held.pid IS DISTINCT FROM pg_backend_pid()
   AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND held.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
   AND class.relkind IN ('r', 'p') AND pg_table_is_visible(class.oid)
   AND class.relnamespace <> 'pg_catalog'::regnamespace
 ORDER BY coalesce(activity.xact_start, prepared.prepared), held.pid, class.relname
 LIMIT 1
"""


def find_blocker() -> str | None:
    """Such as "table packet is locked by pid 4711 (psql) for 33 s"; None if no session holds such a lock now."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_BLOCKERS)
        row = cursor.fetchone()
    if row is None:
        return None
    table, pid, name, is_granted, age_s, behind = row
    since = "" if age_s is None else f" for {age_s:.0f} s"
    named = storable(name or "no name", 60)
    session = f"pid {pid} ({named})" if pid else f"the prepared transaction {named}"
    if is_granted:
        return f"table {table} is locked by {session}{since}"
    # A prepared transaction has no session, and so the number 0.
    others = [f"pid {other}" if other else "a prepared transaction" for other in sorted(set(behind))]
    return f"{session} waits{since} to lock table {table}, behind {' and '.join(others) or 'nobody any more'}"


class Refusal(NamedTuple):
    """The text to tell of an error of the database; `is_by_lock` if a session that has a table locked is in the way."""

    text: str
    is_by_lock: bool


def refusal(error: BaseException) -> Refusal:
    """Tells of an error, and looks which session is in the way if it may be one that waited for a lock."""
    blocker = None
    if is_lock_timeout(error):
        with suppress(Error):
            blocker = find_blocker()
    return Refusal(f"{error_text(error)}; {blocker}" if blocker else error_text(error), blocker is not None)


def refusal_text(error: BaseException) -> str:
    """The text of the refusal."""
    return refusal(error).text
