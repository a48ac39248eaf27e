"""How far each source has been ingested, and whether it is paused."""

from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import TextField
from django.db.models.functions import Cast, TruncSecond

from inbox import registry
from inbox.engine.ingest import IS_NEW, LOWEST_ID
from inbox.models import PollWatermark, SourcePause
from inbox.monitoring.age import Age, in_words
from inbox.registry import ByFlag, ByWatermark, Source

# Rows that are counted at most: 10,000 are read in some 20 ms.
ROWS = 10_000
# A watermark ahead of the clock by less is no clock that has gone back.
CLOCKS_DIFFER_S = 1.0

# Times never leave the database as such: a source's row may have one that no driver reads.
COUNT_ROWS = f"""
SELECT count(*), (extract(epoch FROM now()) - extract(epoch FROM min(s.created_at)))::float8
  FROM (SELECT s.message_id, s.created_at, s.is_deleted FROM {{table}} AS s
         WHERE {{where}} AND s.created_at <= now()
         ORDER BY {{order}}
         LIMIT %(rows)s) AS s
 WHERE NOT s.is_deleted AND {IS_NEW}
"""
ABOVE_WATERMARK = {
    "where": f"""(s.created_at, s.message_id) > (
                   coalesce((SELECT last_created_at FROM poll_watermark WHERE source = %(source)s), '-infinity'),
                   coalesce((SELECT last_message_id FROM poll_watermark WHERE source = %(source)s), {LOWEST_ID}))""",
    "order": "s.created_at, s.message_id",
}
# The clock has gone back, so no row of now lies above the watermark: the newest are looked at instead.
NEWEST = {
    "where": "s.created_at > now() - %(lookback_s)s * interval '1 second'",
    "order": "s.created_at DESC, s.message_id DESC",
}
COUNT_ROWS_WITH_LOWERED_FLAG = """
SELECT count(*), (extract(epoch FROM now()) - extract(epoch FROM min(updated_at)))::float8
  FROM (SELECT s.updated_at FROM {table} AS s
         WHERE NOT s.{flag} AND {eligible} AND NOT s.is_deleted LIMIT %(rows)s) AS s
"""


@dataclass(frozen=True, slots=True)
class Pause:
    """Why a source is paused, since when, and when one job is tried next (`next_try_in_s` is below 0 while it is)."""

    reason: str
    since: str
    for_s: float
    next_try_in_s: float
    tries: int

    @property
    def next_try(self) -> str:
        """When one job is tried next, for people."""
        return f"next try in {in_words(self.next_try_in_s)}" if self.next_try_in_s > 0 else "retrying now"


@dataclass(frozen=True, slots=True)
class SourceState:
    """One source. The fields of its watermark, last_created_at to pruned_count, are None if it has none.

    last_created_at  the time of the newest row ingested, as text
    lag_s            how old that row is: also large when nothing arrives; below 0 if the clock has gone back
    moved_s          when the watermark last moved
    reconcile_finds  rows that everything else had missed: each an incident
    lookback_finds   rows that committed late
    pruned_before    rows older than this are never ingested, as text
    pruned_count     jobs that were pruned
    rows_to_take_in  rows without a job; `rows_at_least` if there may be more
    rows_wait_s      how old the oldest of them is
    pause            of an outbound source whose service is not available
    """

    source: str
    command: str | None
    pause: Pause | None
    rows_to_take_in: int
    rows_at_least: bool
    rows_wait_s: float | None
    last_created_at: str | None = None
    lag_s: float | None = None
    moved_s: float | None = None
    reconcile_finds: int | None = None
    lookback_finds: int | None = None
    pruned_before: str | None = None
    pruned_count: int | None = None

    @property
    def is_ahead_of_clock(self) -> bool:
        """The database's clock has gone back, and no ingest has set the watermark back yet."""
        return self.lag_s is not None and self.lag_s < -CLOCKS_DIFFER_S

    @property
    def warning(self) -> tuple[str, str] | None:
        """The fault of its watermark, in words, and the SQL to type."""
        if not self.is_ahead_of_clock:
            return None
        text = (
            f"The watermark of {self.source} lies {in_words(-(self.lag_s or 0))} ahead of the database's clock, which "
            "has gone back. The next ingest of a worker sets the watermark back. See whether the clock is right:"
        )
        return text, "SELECT now();"


def list_sources(rows: int = ROWS) -> list[SourceState]:
    """All registered sources, and old ones that have left a watermark or a pause.

    Of the rows that wait to be ingested, at most `rows` are counted.
    """
    known = {source.name: source for source in registry.sources()}
    watermarks, pauses = _watermarks(), _pauses()
    states = []
    for name in sorted({*known, *watermarks, *pauses}):
        source = known.get(name)
        command = source.command if source else None
        state = SourceState(name, command, pauses.get(name), 0, False, None, *watermarks.get(name, ()))
        count, wait_s = _count_rows(source, rows, state.is_ahead_of_clock) if source else (0, None)
        states.append(replace(state, rows_to_take_in=count, rows_at_least=count >= rows, rows_wait_s=wait_s))
    return states


def _pauses() -> dict[str, Pause]:
    since = Cast(TruncSecond("paused_since"), TextField())
    rows = SourcePause.objects.values_list("source", "reason", since, Age("paused_since"), -Age("next_try_at"), "tries")
    return {source: Pause(*row) for source, *row in rows}


def _watermarks() -> dict[str, list[Any]]:
    """By source, the fields of a SourceState from last_created_at on."""
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
    return {source: fields for source, *fields in rows}


def _count_rows(source: Source, limit: int, is_ahead_of_clock: bool) -> tuple[int, float | None]:
    """How many rows wait to be ingested, and how old the oldest is in seconds."""
    quote = connection.ops.quote_name
    match source.reads:
        case ByWatermark(table=table):
            sql = COUNT_ROWS.format(table=quote(table), **(NEWEST if is_ahead_of_clock else ABOVE_WATERMARK))
        case ByFlag(table=table, flag=flag, eligible_sql=eligible):
            sql = COUNT_ROWS_WITH_LOWERED_FLAG.format(table=quote(table), flag=quote(flag), eligible=eligible)
        case None:
            return 0, None
    with connection.cursor() as cursor:
        cursor.execute(sql, {"source": source.name, "rows": limit, "lookback_s": settings.INBOX_LOOKBACK})
        return cursor.fetchone()
