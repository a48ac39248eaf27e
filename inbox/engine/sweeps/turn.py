"""Turns: one process at a time does each sweep of a source, however long it takes.

The column of the turn says when the next process may begin. A process that takes the turn moves it a little ahead, and
again and again while it sweeps; when it is done, it moves it a period ahead. A process that dies, or stands still,
leaves a turn that soon falls due. All of this compares and sets: whoever finds the time changed has lost the turn, and
stops.

A turn that lies further ahead than any process sets it is due: the database's clock has gone back.
"""

from enum import Enum
from typing import Any

from django.conf import settings
from django.db import connection

from inbox.registry import Source


class SweepKind(Enum):
    """The two sweeps. Their ranges meet and don't overlap, so that only what the lookback has missed is an incident."""

    LOOKBACK = "lookback"
    RECONCILE = "reconcile"

    @property
    def turn(self) -> str:
        """The column of poll_watermark that says when it is due."""
        return f"next_{self.value}_at"

    @property
    def kept_for_s(self) -> float:
        """Seconds for which a process has the turn without a sign of it: longer than it is between two steps.

        After that, a claim counts as stale too. A lookback must not stand still for so long.
        """
        stale_after_s = settings.INBOX_STALE_AFTER
        return stale_after_s if self is SweepKind.RECONCILE else min(stale_after_s, LOOKBACK_KEPT_FOR_S)

    @property
    def step_limit_s(self) -> float:
        """Seconds that a step may read: so few that whoever keeps the turn between steps has it throughout."""
        return min(self.kept_for_s / 3, LONGEST_STEP_S)

    @property
    def longest_pause_s(self) -> float:
        """Seconds between the end of one sweep and the next at most.

        A lookback comes early enough that a row does not slip through behind it.
        """
        return settings.INBOX_RECONCILE_EVERY if self is SweepKind.RECONCILE else settings.INBOX_LOOKBACK / 4


LOOKBACK_KEPT_FOR_S = 15.0
LONGEST_STEP_S = 10.0

# In SQL because the ORM takes 0.4 ms to build it, and a worker asks this after each ingest.
TAKE_TURN = """
UPDATE poll_watermark SET {turn} = now() + %(kept_for_s)s * interval '1 second'
 WHERE source = %(source)s AND ({turn} <= now() - %(overdue_s)s * interval '1 second' OR {is_too_far})
RETURNING {turn}::text
"""
MOVE_TURN = """
UPDATE poll_watermark SET {turn} = now() + %(s)s * interval '1 second'
 WHERE source = %(source)s AND {turn} = %(until)s::timestamptz
RETURNING {turn}::text
"""


class Turn:
    """The right of this process to do one sweep of a source."""

    def __init__(self, source: Source, kind: SweepKind, until: str) -> None:
        self.source = source
        self.kind = kind
        self._until = until

    def keep(self) -> bool:
        """Go on having it; False if another process has it, or somebody has made it due."""
        return self._move(self.kind.kept_for_s)

    def end(self, pause_s: float = 0) -> None:
        """Let the next sweep begin in `pause_s` seconds; does nothing if another process has the turn."""
        self._move(pause_s)

    def _move(self, s: float) -> bool:
        values: dict[str, Any] = {"source": self.source.name, "until": self._until, "s": s}
        with connection.cursor() as cursor:
            cursor.execute(MOVE_TURN.format(turn=self.kind.turn), values)
            row = cursor.fetchone()
        if row:
            self._until = row[0]
        return row is not None


def take_turn(source: Source, kind: SweepKind, *, overdue_s: float = 0) -> Turn | None:
    """The turn of a sweep of `source`, if it is due, by `overdue_s` seconds or more of the database's clock."""
    sql = TAKE_TURN.format(turn=kind.turn, is_too_far=_is_too_far(kind))
    with connection.cursor() as cursor:
        cursor.execute(sql, {"source": source.name, "overdue_s": overdue_s, "kept_for_s": kind.kept_for_s})
        row = cursor.fetchone()
    return Turn(source, kind, row[0]) if row else None


def is_due(kind: SweepKind) -> str:
    """The SQL that says whether the turn of a row of poll_watermark is due."""
    return f"{kind.turn} <= now() OR {_is_too_far(kind)}"


def _is_too_far(kind: SweepKind) -> str:
    longest_s = max(kind.kept_for_s, kind.longest_pause_s)
    return f"{kind.turn} > now() + {longest_s:f} * interval '1 second'"
