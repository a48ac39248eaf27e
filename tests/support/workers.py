"""Rows of worker processes without a process, their tallies, and the grace after a start of the server."""

from datetime import timedelta
from uuid import uuid4

from django.db import connection
from django.utils import timezone

from inbox.models import InboxTally, InboxWorker
from inbox.worker import liveness
from tests.support.probe import wait_until
from tests.support.rows import seconds_ago


def worker(started_s=0.0, **fields) -> int:
    """A worker process that started so many seconds ago; returns its key."""
    defaults = {"instance_id": uuid4(), "worker_id": "w", "command": "run_inbox_worker", "host": "here", "pid": 1}
    return InboxWorker.objects.create(**defaults | {"started_at": seconds_ago(started_s)} | fields).pk


def at_minute(worker_id: int, minutes_ago: float, done: int, failed: int = 0, dead: int = 0) -> None:
    """Write the tally of a worker at a minute of the past."""
    minute = (timezone.now() - timedelta(minutes=minutes_ago)).replace(second=0, microsecond=0)
    InboxTally.objects.create(minute=minute, worker_id=worker_id, done_count=done, failed_count=failed, dead_count=dead)


def wait_for_the_end_of_grace():
    """Wait until processes can be found gone, which none is right after a start of the server."""
    wait_until(lambda: seconds_ago(liveness.GRACE_S + 1) > server_start())


def server_start():
    """When the server started."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_postmaster_start_time()")
        return cursor.fetchone()[0]
