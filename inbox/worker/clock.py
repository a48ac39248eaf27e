"""The database's clock: whether it has jumped, and what a step back leaves.

All times in the database are by its clock, which a failover to another server or an operator may set back. Jobs that
were due then are due again only when the clock gets there: so the worker that sees the step moves those times along. It
sees the step by its own clock, which nothing sets. As that may have come while no worker ran, each looks once as it
begins.
Failure modes: a worker that dies meanwhile; each of them does the same, and what is done is not found again.
"""

import time
from typing import Any

from django.conf import settings
from django.db import connection

from inbox.db.distinct_values import sources_seen
from inbox.db.notify import notify
from inbox.db.planner import by_index
from inbox.engine.backoff import JITTER
from inbox.events import Event, emit

# Jobs wait no longer than that for a smaller step back.
LEAST_STEP_S = 1.0

# A job that was due when it was written is due now, and the rest waits for as long as it would have. A time that an
# operator has set, further ahead than any backoff, stays as it is.
# Each batch begins where the last one ended, in the order of the index: else each would read all that wait again.
MOVE_TIMES = f"""
WITH ahead AS MATERIALIZED (
    SELECT inbox_id, next_attempt_at FROM integration_inbox
     WHERE source = %(source)s AND status IN ('NEW', 'FAILED', 'WAITING')
       AND (next_attempt_at, inbox_id) > (coalesce(%(time)s::timestamptz, now()), %(inbox_id)s)
       AND updated_at > now() + interval '{LEAST_STEP_S:g} seconds'
       AND next_attempt_at <= updated_at + %(longest_s)s * interval '1 second'
     ORDER BY next_attempt_at, inbox_id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), moved AS (
    UPDATE integration_inbox AS job
       SET next_attempt_at = now() + greatest(job.next_attempt_at - job.updated_at, interval '0'), updated_at = now()
      FROM ahead WHERE job.inbox_id = ahead.inbox_id
    RETURNING 1
)
SELECT next_attempt_at::text, inbox_id, (SELECT count(*) FROM moved)
  FROM ahead ORDER BY next_attempt_at DESC, inbox_id DESC LIMIT 1
"""
# Then the worker does other work for a moment, before it moves more.
MOVES_FOR_S = 1.0
MAKE_SWEEPS_DUE = "UPDATE poll_watermark SET next_lookback_at = now(), next_reconcile_at = now()"


class ClockWatch:
    """Compares the database's clock with this process's own."""

    def __init__(self) -> None:
        # How far the database's clock is ahead of ours: at least, at most.
        self._ahead_s: tuple[float, float] | None = None
        self.jumped_s = 0.0

    def tell(self, asked_at: float, database_s: float) -> None:
        """Take the time of the database, which was asked for at `asked_at` of time.monotonic().

        `jumped_s` is then how far its clock has jumped since the last time, at least. It may have been read at any
        moment since it was asked for, so a machine that stands still is no jump.
        """
        low_s, high_s = database_s - time.monotonic(), database_s - asked_at
        last_low_s, last_high_s = self._ahead_s or (low_s, high_s)
        self.jumped_s = max(low_s - last_high_s, 0.0) + min(high_s - last_low_s, 0.0)
        if self._ahead_s is None or self.has_jumped or high_s - low_s < LEAST_STEP_S:
            self._ahead_s = low_s, high_s

    @property
    def has_jumped(self) -> bool:
        """Far enough for something to depend on it."""
        return abs(self.jumped_s) > LEAST_STEP_S


def move_times(*, batch_size: int) -> tuple[int, bool]:
    """After a step back: move along the times at which jobs are due.

    Returns of how many jobs, and whether that were all; it ends after MOVES_FOR_S seconds.
    """
    ends_at = time.monotonic() + MOVES_FOR_S
    count, is_all = 0, True
    for source in sources_seen():
        at: tuple[str | None, int] | None = (None, 0)
        while at is not None and is_all:
            moved, at = _move(source, at, batch_size)
            count += moved
            is_all = at is None or time.monotonic() < ends_at
    if count:
        emit(Event.TIMES_MOVED, count=count)
    return count, is_all


def _move(source: str, at: tuple[str | None, int], limit: int) -> tuple[int, tuple[str, int] | None]:
    """How many jobs were moved, and where the next batch begins; None at the end."""
    values: dict[str, Any] = {"source": source, "time": at[0], "inbox_id": at[1], "limit": limit}
    values["longest_s"] = max(settings.INBOX_BACKOFF) * (1 + JITTER)
    with by_index(), connection.cursor() as cursor:
        cursor.execute(MOVE_TIMES, values)
        row = cursor.fetchone()
        if row:
            notify()
    return (row[2], (row[0], row[1])) if row else (0, None)


def make_sweeps_due() -> None:
    """After a jump: rows may have come below each watermark, or commit so late, and turns may lie too far ahead."""
    with connection.cursor() as cursor:
        cursor.execute(MAKE_SWEEPS_DUE)
