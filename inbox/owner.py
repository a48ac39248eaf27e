"""Registers a worker process in inbox_worker, so that operators see who is at work."""

import os
import socket
from uuid import uuid4

from django.db.models.functions import Now

from inbox.models import InboxWorker
from inbox.work import Counts


def default_worker_id() -> str:
    """A name that no other live process has: host, pid and a random tail, since pids and container names recur."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:6]}"


def register(worker_id: str, command: str) -> InboxWorker:
    """The row of this process; asking twice after a COMMIT without an answer still makes one row."""
    row, _ = InboxWorker.objects.get_or_create(
        instance_id=uuid4(),
        defaults={"worker_id": worker_id, "command": command, "host": socket.gethostname(), "pid": os.getpid()},
    )
    return row


def sign_off(row: InboxWorker, counts: Counts) -> None:
    """Record that the process has ended by itself, and what it did."""
    InboxWorker.objects.filter(pk=row.pk).update(
        state=InboxWorker.State.STOPPED,
        last_seen_at=Now(),
        done_count=counts["DONE"],
        failed_count=counts["FAILED"],
        dead_count=counts["DEAD"],
    )
