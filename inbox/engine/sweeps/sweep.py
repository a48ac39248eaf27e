"""Sweep: looks behind the watermark for rows without a job, in small steps.

LOOKBACK reads the INBOX_LOOKBACK seconds behind the watermark, every few seconds, and finds rows that committed late.
RECONCILE reads what lies further back, from pruned_before on, every INBOX_RECONCILE_EVERY seconds. Every other look has
missed what it finds, so that is an incident, counted and logged.

One process at a time does each (turn.py); if that process dies, the next turn does it all.

A step reads keys only and holds no lock; only a row without a job is worth the watermark's lock. A step that takes too
long, as of a slow disk, is ended and tried again with fewer rows: a sweep that began anew would get no further.
"""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import Error, connection, transaction
from django.db.models import F, QuerySet

from inbox.db.errors import is_statement_timeout
from inbox.engine.ingest import IS_NEW, SOON, ingest_named
from inbox.engine.sweeps.turn import SweepKind
from inbox.events import Event, emit
from inbox.models import PollWatermark
from inbox.registry import ByWatermark, Source

# Rows per step: about 100 ms, so that a worker that sweeps a large table still works in between.
STEP = 50_000

# No look begins ahead of the clock: it may have gone back. NULL, and so no look, without a mark.
BEHIND = "CASE WHEN last_created_at > now() THEN now() ELSE last_created_at END - %(lookback_s)s * interval '1 second'"
# By kind, the ranges it reads: where each begins, and which rows it has. Rows above the mark are the next poll's, but
# for those from the future, which no poll reads: a range of its own, as a backlog of millions may lie between.
RANGES = {
    SweepKind.LOOKBACK: (
        (
            f"greatest({BEHIND}, pruned_before)",
            "(s.created_at, s.message_id) <= (SELECT last_created_at, last_message_id FROM mark)",
        ),
        (SOON, f"s.created_at > {SOON}"),
    ),
    SweepKind.RECONCILE: (("pruned_before", f"s.created_at < (SELECT {BEHIND} FROM mark)"),),
}
# Times travel as text: -infinity, infinity and BC are valid here, and no driver reads them.
SELECT_STEP = f"""
WITH mark AS MATERIALIZED (
    SELECT last_created_at, last_message_id FROM poll_watermark WHERE source = %(source)s
), step AS MATERIALIZED (
    SELECT s.message_id, s.created_at, s.is_deleted
      FROM {{table}} AS s
     WHERE (s.created_at, s.message_id) > (%(created_at)s::timestamptz, (%(message_id)s)::bigint)
       AND {{range}}
     ORDER BY s.created_at, s.message_id
     LIMIT %(step)s
)
SELECT ARRAY(SELECT message_id FROM step AS s WHERE NOT is_deleted AND {IS_NEW}),
       last.created_at::text, last.message_id, (SELECT count(*) FROM step)
  FROM (SELECT created_at, message_id FROM step ORDER BY created_at DESC, message_id DESC LIMIT 1) AS last
"""


def sweep(source: Source, kind: SweepKind, *, lookback_s: float | None = None, step: int = STEP) -> Iterator[int]:
    """Make jobs of rows behind the watermark that have none; yields after each step how many that step made.

    `lookback_s` is INBOX_LOOKBACK, unless the clock has jumped.
    """
    table = source.reads
    if not isinstance(table, ByWatermark):
        return
    values: dict[str, Any] = {"source": source.name, "lookback_s": lookback_s or settings.INBOX_LOOKBACK, "step": step}
    for start, rows in RANGES[kind]:
        at: tuple[str, int] | None = _start(start, values)
        while at is not None:
            try:
                message_ids, at = _read(table, rows, at, values, limit_s=kind.step_limit_s)
            except Error as error:
                if not is_statement_timeout(error) or values["step"] == 1:
                    raise
                message_ids, values["step"] = [], max(values["step"] // 8, 1)
            yield _take(source, table, kind, message_ids) if message_ids else 0


def _start(start: str, values: dict[str, Any]) -> tuple[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT coalesce({start}, '-infinity')::text FROM poll_watermark WHERE source = %(source)s", values
        )
        row = cursor.fetchone()
    return (row[0] if row else "-infinity", -(2**63))


def _read(
    table: ByWatermark, rows: str, at: tuple[str, int], values: dict[str, Any], *, limit_s: float
) -> tuple[list[int], tuple[str, int] | None]:
    """The rows of this step that have no job, and where the next step begins; None at the end."""
    sql = SELECT_STEP.format(table=connection.ops.quote_name(table.table), range=rows)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{limit_s * 1000:.0f}ms"])
        cursor.execute(sql, values | {"created_at": at[0], "message_id": at[1]})
        message_ids, *last, count = cursor.fetchone() or ([], 0)
    return message_ids, (last[0], last[1]) if count == values["step"] else None


def _take(source: Source, table: ByWatermark, kind: SweepKind, message_ids: list[int]) -> int:
    with transaction.atomic():
        count = ingest_named(source, table, message_ids)
        if count:
            finds = f"{kind.value}_finds"
            _mark(source).update(**{finds: F(finds) + count})
    # 0 if another process made the jobs.
    if count:
        event = Event.MISSED_ROWS_FOUND if kind is SweepKind.RECONCILE else Event.LATE_ROWS_FOUND
        emit(event, source=source.name, count=count)
    return count


def _mark(source: Source) -> QuerySet[PollWatermark]:
    return PollWatermark.objects.filter(source=source.name)
