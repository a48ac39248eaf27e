"""Wake: the transaction that brings what jobs wait for makes them due.

A hint, not the truth: a job that looked just before and begins to wait just after is not woken. It is looked at again
after some seconds (EARLY_LOOKS_S in backoff.py), and heals then. DEAD jobs that waited too long, or contradicted the
state of their case, are woken too, each with an audit entry.
"""

from collections.abc import Iterable
from uuid import UUID

from django.db import connection, models, transaction
from django.db.models.functions import Now

from inbox.db.notify import notify
from inbox.engine.audit import job_changes, job_facts, record, recorded_move
from inbox.events import Event, emit_on_commit
from inbox.models import InboxJob
from inbox.outcomes import WOKEN_KINDS
from inbox.statuses import Status

# In SQL because the ORM takes 0.2 ms to build it, and every message that brings something asks this.
LOCK_WAITING_JOBS = f"""
SELECT inbox_id FROM integration_inbox
 WHERE decision_tracking_id = ANY(%s) AND (status = 'WAITING' OR status = 'DEAD' AND error_kind IN {WOKEN_KINDS})
 ORDER BY inbox_id
   FOR UPDATE SKIP LOCKED
"""


def wake(decision_tracking_ids: Iterable[UUID], *, why: str) -> int:
    """Make the waiting jobs of these cases due now; returns how many. `why` says what has come.

    Locks the jobs in key order and skips locked ones, so it never waits. Runs in the caller's transaction.
    """
    # A savepoint would be two more round trips, and an error rolls back the caller anyway.
    with transaction.atomic(savepoint=False):
        inbox_ids = _lock_waiting(decision_tracking_ids)
        if not inbox_ids:
            return 0
        before = job_facts(inbox_ids)
        with recorded_move(why):
            InboxJob.objects.filter(inbox_id__any_of=inbox_ids).update(
                status=Status.NEW,
                next_attempt_at=Now(),
                # A DEAD job starts its wait from the beginning; a WAITING one goes on with the time that is left.
                waiting_since=models.Case(models.When(status=Status.WAITING, then="waiting_since")),
                finished_at=None,
                finished_by=None,
                updated_at=Now(),
            )
        dead = {inbox_id: facts for inbox_id, facts in before.items() if facts["status"] == Status.DEAD}
        if dead:
            record(job_changes(dead, job_facts(dead)), who="wake", verb="wake", reason=why)
        notify()
        emit_on_commit(Event.WOKEN, count=len(inbox_ids), reason=why)
    return len(inbox_ids)


def _lock_waiting(decision_tracking_ids: Iterable[UUID]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(LOCK_WAITING_JOBS, [list(decision_tracking_ids)])
        return [inbox_id for (inbox_id,) in cursor.fetchall()]
