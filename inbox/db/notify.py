"""Wakes idle workers when there is work, so that they need not wait for their next poll.

A hint only: it is lost if nobody listens, and polling finds the work anyway. PostgreSQL commits transactions that
notify one after the other, so the hot path (claim, finish) never does; triggers on the source tables do
(migration 0004), and so do operators' verbs that make jobs due.
"""

from django.db import connection

CHANNEL = "inbox"
# As in the trigger function inbox_notify(): `SET inbox.notify = off` switches it off.
NOTIFY = f"SELECT pg_notify('{CHANNEL}', '') WHERE coalesce(current_setting('inbox.notify', true), '') <> 'off'"


def notify() -> None:
    """Wake idle workers when the caller's transaction commits."""
    with connection.cursor() as cursor:
        cursor.execute(NOTIFY)
