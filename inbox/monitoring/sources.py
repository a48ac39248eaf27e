"""How far each source has been read, and whether rows wait to be taken in."""

from dataclasses import dataclass
from typing import NamedTuple

from django.db import connection
from django.db.models import TextField
from django.db.models.functions import Cast, TruncSecond

from inbox import registry
from inbox.engine.ingest import IS_NEW, LOWEST_ID
from inbox.models import PollWatermark, SourcePause
from inbox.monitoring.age import Age, in_words
from inbox.registry import ByFlag, ByWatermark

# Rows behind which nothing is counted any more: 10,000 are read in some 20 ms.
ROWS = 10_000

# Times never leave the database as such: a source's row may have one that no driver reads.
ROWS_ABOVE_THE_MARK = f"""
SELECT count(*), (extract(epoch FROM now()) - extract(epoch FROM min(s.created_at)))::float8
  FROM (SELECT s.message_id, s.created_at, s.is_deleted FROM {{table}} AS s
         WHERE (s.created_at, s.message_id) > (
                   coalesce((SELECT last_created_at FROM poll_watermark WHERE source = %(source)s), '-infinity'),
                   coalesce((SELECT last_message_id FROM poll_watermark WHERE source = %(source)s), {LOWEST_ID}))
           AND s.created_at <= now()
         ORDER BY s.created_at, s.message_id
         LIMIT %(rows)s) AS s
 WHERE NOT s.is_deleted AND {IS_NEW}
"""
ROWS_WITH_LOWERED_FLAGS = """
SELECT count(*), (extract(epoch FROM now()) - extract(epoch FROM min(updated_at)))::float8
  FROM (SELECT s.updated_at FROM {table} AS s
         WHERE NOT s.{flag} AND {eligible} AND NOT s.is_deleted LIMIT %(rows)s) AS s
"""


class Mark(NamedTuple):
    """A row of poll_watermark."""

    source: str = ""
    last_created_at: str | None = None
    lag_s: float | None = None
    moved_s: float | None = None
    reconcile_finds: int | None = None
    lookback_finds: int | None = None
    pruned_before: str | None = None
    pruned_count: int | None = None


NO_MARK = Mark()


@dataclass(frozen=True, slots=True)
class Pause:
    """Why a source pauses, since when, and when one job is tried next (`next_try_in_s` is below 0 while it is)."""

    reason: str
    since: str
    for_s: float
    next_try_in_s: float
    tries: int


@dataclass(frozen=True, slots=True)
class SourceState:
    """One source; the fields of a watermark are None if it has none.

    last_created_at  the time of the newest row taken in, as text
    lag_s            how old that row is: large too when nothing arrives
    moved_s          when the watermark last moved
    reconcile_finds  rows that every other look had missed: each an incident
    lookback_finds   rows that committed late
    pruned_before    rows older than this are never new again, as text
    pruned_count     jobs that were pruned
    rows_to_take_in  rows that have no job yet, `rows_at_least` if they were not counted to the end
    rows_wait_s      how old the oldest of them is
    pause            of an outbound source whose service is not there
    """

    source: str
    command: str | None
    last_created_at: str | None
    lag_s: float | None
    moved_s: float | None
    reconcile_finds: int | None
    lookback_finds: int | None
    pruned_before: str | None
    pruned_count: int | None
    rows_to_take_in: int
    rows_at_least: bool
    rows_wait_s: float | None
    pause: Pause | None


def next_try(pause: Pause) -> str:
    """When it is tried next, for people."""
    return f"next try in {in_words(pause.next_try_in_s)}" if pause.next_try_in_s > 0 else "tried now"


def source_states(rows: int = ROWS) -> list[SourceState]:
    """All sources that this project knows, and those of old that have left a watermark or a pause.

    Behind `rows` rows that wait to be taken in nothing is counted.
    """
    known = {source.name: source for source in registry.sources()}
    marks = {mark.source: mark for mark in _marks()}
    pauses = _pauses()
    return [
        _state(name, known.get(name), marks.get(name, NO_MARK), pauses.get(name), rows)
        for name in sorted({*known, *marks, *pauses})
    ]


def _pauses() -> dict[str, Pause]:
    since = Cast(TruncSecond("paused_since"), TextField())
    rows = SourcePause.objects.values_list("source", "reason", since, Age("paused_since"), -Age("next_try_at"), "tries")
    return {source: Pause(*row) for source, *row in rows}


def _marks() -> list[Mark]:
    rows = PollWatermark.objects.values_list(
        "source",
        Cast("last_created_at", TextField()),
        Age("last_created_at"),
        Age("updated_at"),
        "reconcile_finds",
        "lookback_finds",
        Cast("pruned_before", TextField()),
        "pruned_count",
    )
    return [Mark(*row) for row in rows]


def _state(name: str, source: registry.Source | None, mark: Mark, pause: Pause | None, rows: int) -> SourceState:
    count, wait_s = _rows_to_take_in(source, rows) if source else (0, None)
    return SourceState(
        **(mark._asdict() | {"source": name}),
        command=source.command if source else None,
        rows_to_take_in=count,
        rows_at_least=count >= rows,
        rows_wait_s=wait_s,
        pause=pause,
    )


def _rows_to_take_in(source: registry.Source, limit: int) -> tuple[int, float | None]:
    quote = connection.ops.quote_name
    match source.reads:
        case ByWatermark(table=table):
            sql = ROWS_ABOVE_THE_MARK.format(table=quote(table))
        case ByFlag() as rows:
            sql = ROWS_WITH_LOWERED_FLAGS.format(
                table=quote(rows.table), flag=quote(rows.flag), eligible=rows.eligible_sql
            )
        case None:
            return 0, None
    with connection.cursor() as cursor:
        cursor.execute(sql, {"source": source.name, "rows": limit})
        return cursor.fetchone()
