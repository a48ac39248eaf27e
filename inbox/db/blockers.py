"""Blockers: which other sessions hold, or wait for, a lock on a table of ours that our statements cannot go beside.

For people only. A row that somebody has locked does not show here: the server tells of that only while we wait.
"""

from contextlib import suppress
from typing import NamedTuple

from django.db import Error, connection

from inbox.db.errors import is_lock_timeout
from inbox.db.storable import error_text, storable

# The modes that a plain INSERT, UPDATE or DELETE has to wait for. Asked beside the transaction that waited: at its end
# the server has forgotten what for. The queue behind a lock that is not granted yet is as closed.
SELECT_BLOCKERS = """
SELECT class.relname, held.pid, activity.application_name, held.granted,
       extract(epoch FROM clock_timestamp() - activity.xact_start)::float8,
       CASE WHEN NOT held.granted THEN pg_blocking_pids(held.pid) END
  FROM pg_locks AS held
  JOIN pg_class AS class ON class.oid = held.relation
  LEFT JOIN pg_stat_activity AS activity ON activity.pid = held.pid
 WHERE held.locktype = 'relation' AND held.pid <> pg_backend_pid()
   AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND held.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
   AND class.relkind IN ('r', 'p') AND pg_table_is_visible(class.oid)
   AND class.relnamespace <> 'pg_catalog'::regnamespace
 ORDER BY activity.xact_start, held.pid, class.relname
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
    session = f"pid {pid} ({storable(name or 'no name', 60)})"
    if is_granted:
        return f"table {table} is locked by {session}{since}"
    others = " and ".join(map(str, sorted(set(behind)))) or "nobody any more"
    return f"{session} waits{since} to lock table {table}, behind pid {others}"


class Refusal(NamedTuple):
    """What may be told of an error of the database; `is_by_lock` if a session that has a table locked is in the way."""

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
