"""Asks whether there is anything to do for some sources: one cheap query, so that an idle worker costs little.

The answer may be yes for nothing (another worker takes the job first). It is never no while a poll would find
something.
"""

from collections.abc import Sequence
from typing import Any

from django.db import connection

from inbox.engine.ingest import IS_AHEAD, LOWEST_ID, SELECT_ROWS_ABOVE_WATERMARK, SELECT_WATERMARK
from inbox.engine.pause import IS_DUE_FOR_PROBE
from inbox.engine.sweeps.turn import SweepKind, is_due
from inbox.registry import ByFlag, ByWatermark, Source

# Not EXISTS, which has no order: while statistics say that many are due, the planner reads the whole table for one.
HAS_DUE_JOBS = """
(SELECT true FROM integration_inbox
  WHERE source = %(source)s AND status IN ('NEW', 'FAILED', 'WAITING') AND next_attempt_at <= now()
    AND message_type = ANY(%(types)s)
  ORDER BY next_attempt_at, inbox_id LIMIT 1) IS NOT NULL
"""
HAS_DUE_CALLS = f"""
({HAS_DUE_JOBS} AND NOT EXISTS (SELECT 1 FROM inbox_pause AS pause
                     WHERE pause.source = %(source)s AND NOT ({IS_DUE_FOR_PROBE})))
"""
# Also if the mark has to move, past rows that have a job or back to the clock: else each look would read more.
HAS_NEW_ROWS = f"""
EXISTS (WITH mark AS ({SELECT_WATERMARK}) {SELECT_ROWS_ABOVE_WATERMARK})
OR EXISTS (SELECT 1 FROM {{table}} AS s
            WHERE (s.created_at, s.message_id)
                  > ((SELECT greatest(last_created_at, 'epoch') FROM poll_watermark WHERE source = %(source)s),
                     (SELECT coalesce(last_message_id, {LOWEST_ID}) FROM poll_watermark WHERE source = %(source)s))
              AND s.created_at <= now())
OR coalesce((SELECT {IS_AHEAD} OR {{turns}}
               FROM poll_watermark WHERE source = %(source)s), true)
"""
HAS_LOWERED_FLAGS = "EXISTS (SELECT 1 FROM {table} AS s WHERE NOT s.{flag} AND {eligible} AND NOT s.is_deleted)"


def has_work(sources: Sequence[Source]) -> bool:
    """True if a poll of these sources would find a row to ingest, a job to claim or a sweep to do."""
    return look_for_work(sources, "NULL")[0]


def look_for_work(sources: Sequence[Source], also: str) -> tuple[bool, Any]:
    """As `has_work`, and the value of the SQL expression `also`, for which a query of its own would cost too much."""
    parts: list[str] = []
    values: dict[str, Any] = {}
    for number, source in enumerate(sources):
        own = {"source": source.name, "types": list(source.message_types), "limit": 1}
        values |= {f"{name}_{number}": value for name, value in own.items()}
        part = " OR ".join([HAS_DUE_CALLS if source.is_outbound else HAS_DUE_JOBS, *_parts(source)])
        for name in own:
            part = part.replace(f"%({name})s", f"%({name}_{number})s")
        parts.append(part)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {' OR '.join(parts) or 'false'}, {also}", values)
        return cursor.fetchone()


def _parts(source: Source) -> list[str]:
    quote = connection.ops.quote_name
    match source.reads:
        case ByWatermark(table=table):
            turns = " OR ".join(map(is_due, SweepKind))
            return [HAS_NEW_ROWS.format(table=quote(table), turns=turns)]
        case ByFlag() as rows:
            flag = quote(rows.flag)
            return [HAS_LOWERED_FLAGS.format(table=quote(rows.table), flag=flag, eligible=rows.eligible_sql)]
    return []
