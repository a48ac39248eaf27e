"""Wakes idle workers when there is work, so that they need not wait for their next poll.

A hint only: it is lost if nobody listens, and polling finds the work anyway. So it never fails what it tells of.
PostgreSQL has one NOTIFY queue for all databases of a server. A listener that does not read, such as a session that
stays idle in a transaction, keeps everything in it, and a commit that notifies fails once it is full. Commits that
notify also wait for each other, to the end of the slowest.

- Transactions of ours notify after their commit, in a statement of its own. Its failure is nobody's.
- Writers of the source tables notify by triggers that look how full the queue is, at the moment of their commit
  (inbox_notify(), migrations 0011 of inbox and decisions, 0007 of packets).

Neither adds to a queue that is fuller than SHARE. Workers learn that and poll as if they did not listen.
`SET inbox.notify = off` switches notifications off, for a session, a role or a database.
"""

from contextlib import nullcontext, suppress

from django.db import Error, ProgrammingError, connection, transaction

CHANNEL = "inbox"
# These follow the look at the queue and can still fill it: of ours, one notification of 24 bytes for each session that
# commits in that moment, so 512 kB, the smallest queue there is, has room for 19,000 such sessions above a tenth; of
# others, nine tenths of the queue between two steps of one commit. Listeners of other databases, who are told late,
# leave up to 4 pages of 8 kB in a queue: a sixteenth of the smallest.
SHARE = 0.1
QUEUE_USAGE = "pg_notification_queue_usage()"
# As in the trigger function inbox_notify(). The queue is locked for the commit, by others too; it is no worth waiting.
NOTIFY = f"""
SELECT set_config('lock_timeout', '100ms', true), pg_notify('{CHANNEL}', '')
 WHERE coalesce(current_setting('inbox.notify', true), '') <> 'off' AND {QUEUE_USAGE} < {SHARE}
"""


def notify() -> None:
    """Wake idle workers when the caller's transaction has committed; at once outside of one. Never raises."""
    transaction.on_commit(_notify)


def queue_usage() -> float | None:
    """How full the server's NOTIFY queue is, 0 to 1; None if this role may not ask. Raises OperationalError."""
    savepoint = transaction.atomic() if connection.in_atomic_block else nullcontext()
    with suppress(ProgrammingError), savepoint, connection.cursor() as cursor:
        cursor.execute(f"SELECT {QUEUE_USAGE}")
        return cursor.fetchone()[0]
    return None


def _notify() -> None:
    # A lost connection shows in the next statement, which matters.
    with suppress(Error), connection.cursor() as cursor:
        cursor.execute(NOTIFY)
