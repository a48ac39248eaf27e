"""Events: each action reports once what it did. Log lines and counters derive from that, and so can traces.

An event is emitted after the commit of what it reports; a verb inside its caller's transaction uses `emit_on_commit`.
Facts are keys that config/logs.py allows: names of ours, counts and times, never a value of a message.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from functools import partial
from typing import Any

import structlog
from django.db import transaction

from inbox.job_counts import NO_JOBS, JobCounts


class Event(Enum):
    """All events. Each has the logger and the level of its log line, and the text."""

    INGESTED = "inbox.engine.ingest", "debug", "rows ingested"
    INGEST_REFUSED = "inbox.engine.ingest", "warning", "the database refused an ingest; trying again"
    WATERMARK_SET_BACK = (
        "inbox.engine.ingest",
        "warning",
        "the database's clock has gone back: the watermark is set back to it, and the sweeps begin",
    )
    LATE_ROWS_FOUND = "inbox.engine.sweeps", "info", "the lookback found rows that committed late"
    MISSED_ROWS_FOUND = (
        "inbox.engine.sweeps",
        "error",
        "incident: the reconcile found rows that every other look missed",
    )
    CLAIMED = "inbox.engine.claim", "debug", "jobs claimed"
    FINISHED = "inbox.engine.work", "debug", "batch finished"
    FAILED = "inbox.engine.work", "warning", "job failed"
    ROLLED_BACK = "inbox.engine.work", "warning", "batch rolled back; trying each job alone"
    DEADLOCKED = "inbox.engine.work", "error", "deadlocks in a row; giving the jobs back"
    HELD_UP = "inbox.engine.hold_up", "debug", "jobs held up"
    HOLD_UP_BEGAN = (
        "inbox.engine.hold_up",
        "warning",
        "the database refuses these; nothing is lost, trying again",
    )
    HOLD_UP_GOES_ON = "inbox.engine.hold_up", "warning", "the database still refuses these"
    HOLD_UP_ENDED = "inbox.engine.hold_up", "info", "the database takes these again"
    GIVEN_BACK = "inbox.engine.give_back", "info", "jobs given back"
    RECLAIMED = "inbox.engine.reclaim", "warning", "jobs reclaimed"
    RECLAIMED_OWN = "inbox.engine.reclaim", "warning", "own jobs reclaimed after a lost connection"
    RENEWAL_MISSED = "inbox.engine.heartbeat", "info", "claims could not be renewed"
    WOKEN = "inbox.engine.wake", "debug", "waiting jobs woken"
    PRUNED = "inbox.engine.prune", "debug", "jobs pruned"
    PAUSED = "inbox.engine.pause", "warning", "source paused"
    RESUMED = "inbox.engine.pause", "info", "source resumed"
    OPERATED = "inbox.operations", "info", "operator changed jobs"
    REGISTERED = "inbox.worker", "info", "worker registered"
    WITHOUT_PRESENCE = "inbox.worker", "warning", "no connection for presence; going on without"
    POOLER_BETWEEN = "inbox.worker", "info", "behind a pooler: no presence, no LISTEN; DATABASE_DIRECT_URL gives both"
    CONNECTIONS_SCARCE = "inbox.worker", "warning", "database connections are scarce"
    CONNECTIONS_FREE = "inbox.worker", "info", "database connections are free again"
    HINTS_STOPPED = "inbox.worker", "warning", "the NOTIFY queue is filling up; polling instead"
    HINTS_SENT = "inbox.worker", "info", "notifications of new work are sent again"
    PRESENCE_LOST = "inbox.worker", "warning", "presence lost; registering again"
    CONNECTION_LOST = "inbox.worker", "warning", "connection lost; connecting again"
    DATABASE_REFUSED = "inbox.worker", "warning", "the database refused; going on"
    TIMES_MOVED = "inbox.worker", "warning", "the database's clock has gone back: jobs made due as they were by it"
    STILL_AWAY = "inbox.worker", "warning", "the database still does not serve this worker"
    BACK_AGAIN = "inbox.worker", "info", "the database serves this worker again"
    STOPPED = "inbox.worker", "info", "worker stopped"


Listener = Callable[[Event, JobCounts], None]
# Each thread has its own: several workers run as threads of one process in tests.
_listeners: ContextVar[tuple[Listener, ...]] = ContextVar("listeners", default=())


def emit(event: Event, counts: JobCounts = NO_JOBS, **facts: Any) -> None:
    """Log the event with its facts and counts, and pass it to this thread's listeners."""
    logger, level, text = event.value
    getattr(structlog.get_logger(logger), level)(text, **facts, **counts.shown())
    for listener in _listeners.get():
        listener(event, counts)


def emit_on_commit(event: Event, counts: JobCounts = NO_JOBS, **facts: Any) -> None:
    """Emit it once the caller's transaction has committed; at once outside of one."""
    transaction.on_commit(partial(emit, event, counts, **facts))


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Pass every event of this thread to `listener` inside the block."""
    token = _listeners.set((*_listeners.get(), listener))
    try:
        yield
    finally:
        _listeners.reset(token)
