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
from inbox.db.planner import ONLY_BY_INDEX
from inbox.engine.ingest import IS_NEW, LOWEST_ID, SOON, ingest_named
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
# The first step of a range begins here; each other one where the one before has ended.
BEGIN = "(coalesce((SELECT {start} FROM mark), '-infinity'), {lowest_id})"
GO_ON = "(%(created_at)s::timestamptz, (%(message_id)s)::bigint)"
# In one round trip with the step. The planner does not see where a range begins and ends: it would sort all rows.
FOR_THIS_STEP = f"SET LOCAL statement_timeout = %(limit_ms)s;{ONLY_BY_INDEX};"
# Times travel as text: -infinity, infinity and BC are valid here, and no driver reads them.
SELECT_STEP = f"""
WITH mark AS MATERIALIZED (
    SELECT last_created_at, last_message_id, pruned_before FROM poll_watermark WHERE source = %(source)s
), step AS MATERIALIZED (
    SELECT s.message_id, s.created_at, s.is_deleted
      FROM {{table}} AS s
     WHERE (s.created_at, s.message_id) > {{begin}}
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
    values: dict[str, Any] = {
        "source": source.name,
        "lookback_s": lookback_s or settings.INBOX_LOOKBACK,
        "step": step,
        "limit_ms": int(kind.step_limit_s * 1000),
    }
    for start, rows in RANGES[kind]:
        begin: str | None = BEGIN.format(start=start, lowest_id=LOWEST_ID)
        while begin is not None:
            try:
                message_ids, begin = _read(table, rows, begin, values)
            except Error as error:
                if not is_statement_timeout(error) or values["step"] == 1:
                    raise
                message_ids, values["step"] = [], max(values["step"] // 8, 1)
            yield _take(source, table, kind, message_ids) if message_ids else 0


def _read(table: ByWatermark, rows: str, begin: str, values: dict[str, Any]) -> tuple[list[int], str | None]:
    """The rows of this step that have no job, and where the next step begins; None at the end."""
    sql = SELECT_STEP.format(table=connection.ops.quote_name(table.table), range=rows, begin=begin)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(FOR_THIS_STEP + sql, values)
        while cursor.description is None:
            cursor.nextset()
        message_ids, *last, count = cursor.fetchone() or ([], 0)
    if count < values["step"]:
        return message_ids, None
    values["created_at"], values["message_id"] = last
    return message_ids, GO_ON


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
