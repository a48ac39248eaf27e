"""Ingest: makes a job of every source row, exactly once, whenever the row commits.

`created_at` is stamped before COMMIT, so a row may appear behind a watermark that has passed it. So each poll reads
from the pair (created_at, message_id) on, and always the last half second again; sweep.py looks further back, every so
often. All have an anti-join and a unique key behind them: where a look starts decides its cost, never the truth.
Sources by flag need no watermark: ingest_by_flag.py.

No value of a source row leaves the database here, so a value that no driver can read does not stop the batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection, transaction

from inbox.engine.ingest_by_flag import ingest_flagged
from inbox.events import Event, emit, emit_on_commit
from inbox.fields import READABLE_FROM, READABLE_UNTIL
from inbox.models import PollWatermark
from inbox.registry import ByFlag, ByWatermark, Source

# Rows per INSERT. One statement makes about 100,000 jobs a second, so a larger one only holds the lock longer.
INGEST_LIMIT = 2000

# Every poll reads this much again: most late commits are late by milliseconds, and need not wait for the lookback.
# At 5,000 rows a second it is 2,500 look-ups by key, 5 ms.
OVERLAP = "interval '0.5 seconds'"
# Rows from further in the future than clocks differ are left to the lookback, as each poll reads them all again: a
# clock that has gone back leaves many.
SOON = "now() + interval '1 second'"

# OFFSET 0 keeps the planner from turning the anti-join into a loop over all jobs, which it does while its statistics
# say that there are none: 2,000 rows then took 1.2 s instead of 30 ms. Only keys are sorted, never payloads.
# By time, too: a row of another time under a number that was used before, as after a restore of the table, is another
# message, and gets the next revision.
READABLE_TIME = f"CASE WHEN s.created_at BETWEEN '{READABLE_FROM}+00' AND '{READABLE_UNTIL}+00' THEN s.created_at END"
HAS_NO_JOB = f"""NOT EXISTS (
           SELECT 1 FROM integration_inbox AS job
            WHERE job.source = %(source)s AND job.message_id = s.message_id
              AND job.source_created_at IS NOT DISTINCT FROM {READABLE_TIME}
           OFFSET 0)"""
# A row that prune.py has passed is never new again: its job is gone, so the anti-join alone would make another.
IS_NEW = f"""s.created_at >= (SELECT coalesce(max(pruned_before), '-infinity') FROM poll_watermark
                            WHERE source = %(source)s)
       AND {HAS_NO_JOB}"""
LOWEST_ID = "'-9223372036854775808'::bigint"
SELECT_WATERMARK = f"""
    SELECT coalesce(last_created_at, '-infinity') AS last_created_at,
           coalesce(last_message_id, {LOWEST_ID}) AS last_message_id
      FROM poll_watermark WHERE source = %(source)s
"""
SELECT_ROWS_ABOVE_WATERMARK = f"""
    SELECT s.message_id, s.created_at
      FROM {{table}} AS s
     WHERE (s.created_at, s.message_id)
           >= ((SELECT least(last_created_at, now() - {OVERLAP}) FROM mark),
               (SELECT CASE WHEN last_created_at < now() - {OVERLAP} THEN last_message_id
                            ELSE {LOWEST_ID} END FROM mark))
       AND s.created_at <= {SOON}
       AND NOT s.is_deleted
       AND {IS_NEW}
     ORDER BY s.created_at, s.message_id
     LIMIT %(limit)s
"""
SELECT_NAMED_ROWS = f"""
    SELECT s.message_id, s.created_at
      FROM {{table}} AS s
     WHERE s.message_id = ANY(%(message_ids)s) AND NOT s.is_deleted AND {IS_NEW}
"""

# A server crash that forgets jobs forgets the watermark with them, so they are made again: nothing waits for the disk
# here (docs/adr/0004).
IS_AHEAD = f"last_created_at > clock_timestamp() + {OVERLAP}"
LOCK_WATERMARK = f"""
SELECT set_config('synchronous_commit', 'off', true), coalesce({IS_AHEAD}, false)
  FROM poll_watermark WHERE source = %s FOR UPDATE
"""
# No watermark moves ahead of the clock, so the clock has gone back. Since then rows may have come below the mark and
# above: the sweeps look for them at once.
SET_WATERMARK_BACK = f"""
UPDATE poll_watermark
   SET last_created_at = now(), last_message_id = {LOWEST_ID}, updated_at = now(),
       next_lookback_at = now(), next_reconcile_at = now()
 WHERE source = %s
"""

# One statement in SQL: through the ORM every row would travel to Python and back.
INSERT_JOBS = f"""
WITH mark AS MATERIALIZED (
    {SELECT_WATERMARK}
), fresh AS MATERIALIZED ({{fresh}}
), born AS (
    INSERT INTO integration_inbox
           (source, message_id, revision, message_type, decision_tracking_id, channel_type_id,
            source_created_at, next_attempt_at)
    SELECT %(source)s, s.message_id,
           (SELECT coalesce(max(revision), 0) + 1 FROM integration_inbox AS job
             WHERE job.source = %(source)s AND job.message_id = s.message_id),
           {{message_type}}, s.decision_tracking_id, s.channel_type_id,
           {READABLE_TIME}, least(greatest(s.created_at, 'epoch'), now())
      FROM fresh JOIN {{table}} AS s USING (message_id)
     ORDER BY s.created_at, s.message_id
        ON CONFLICT DO NOTHING
    RETURNING 1
), passed AS ({{passed}}
), moved AS (
    UPDATE poll_watermark AS mark
       SET last_created_at = passed.created_at, last_message_id = passed.message_id, updated_at = now()
      FROM passed
     WHERE mark.source = %(source)s
       AND (mark.last_created_at IS NULL
            OR (mark.last_created_at, mark.last_message_id) < (passed.created_at, passed.message_id))
)
SELECT (SELECT count(*) FROM fresh), (SELECT count(*) FROM born)
"""
# A row from the future, or from before anything was sent, must not drag the mark along. Once nothing fresh is left, the
# mark moves to the newest row, whose job is there: else each poll would read all such rows again.
PASSED_BY_POLL = """
    SELECT created_at, message_id
      FROM (SELECT created_at, message_id FROM fresh
             UNION ALL
            (SELECT created_at, message_id FROM {table}
              WHERE created_at <= now() AND (SELECT count(*) FROM fresh) < %(limit)s
              ORDER BY created_at DESC, message_id DESC LIMIT 1)) AS seen
     WHERE created_at BETWEEN 'epoch' AND now()
     ORDER BY created_at DESC, message_id DESC LIMIT 1
"""
PASSED_BY_NONE = "SELECT created_at, message_id FROM fresh LIMIT 0"


@dataclass(frozen=True, slots=True)
class Ingested:
    """How many jobs were made, and whether there may be more rows right now."""

    count: int
    is_full: bool


def ingest(source: Source, *, limit: int = INGEST_LIMIT) -> Ingested:
    """Make jobs of at most `limit` rows of `source` that have none yet, oldest first. Locks the watermark first."""
    match source.reads:
        case ByWatermark() as table:
            found, count = _ingest(source, table, (SELECT_ROWS_ABOVE_WATERMARK, PASSED_BY_POLL), {"limit": limit})
        case ByFlag() as table:
            found = count = ingest_flagged(source, table, limit)
        case None:
            found = count = 0
    if count:
        emit(Event.INGESTED, source=source.name, count=count)
    return Ingested(count, is_full=found >= limit)


def ingest_named(source: Source, table: ByWatermark, message_ids: Sequence[int]) -> int:
    """Make jobs of those of these rows that have none yet; returns how many. Locks the watermark, never moves it on."""
    return _ingest(source, table, (SELECT_NAMED_ROWS, PASSED_BY_NONE), {"message_ids": list(message_ids)})[1]


def _ingest(source: Source, table: ByWatermark, parts: tuple[str, str], values: dict) -> tuple[int, int]:
    """How many rows were found, and how many jobs were made."""
    with transaction.atomic():
        lock_watermark(source)
        with connection.cursor() as cursor:
            cursor.execute(statement(table, *parts), {"source": source.name, **values})
            return cursor.fetchone()


def lock_watermark(source: Source) -> None:
    """Wait for the lock: else two ingests read the same rows, and the second tells of jobs that it did not make.

    No row depends on it: the unique key decides whose job it is, and a sweep finds what a watermark has passed.
    Sets a watermark back that lies ahead of the clock.
    """
    with connection.cursor() as cursor:
        cursor.execute(LOCK_WATERMARK, [source.name])
        if not cursor.rowcount:
            PollWatermark.objects.get_or_create(source=source.name)
            cursor.execute(LOCK_WATERMARK, [source.name])
        _, is_ahead = cursor.fetchone()
        if is_ahead:
            cursor.execute(SET_WATERMARK_BACK, [source.name])
            emit_on_commit(Event.WATERMARK_SET_BACK, source=source.name)


def statement(table: ByWatermark, fresh: str = SELECT_ROWS_ABOVE_WATERMARK, passed: str = PASSED_BY_POLL) -> str:
    """The SQL that makes jobs of the rows that `fresh` selects, and moves the watermark to what `passed` selects."""
    name = connection.ops.quote_name(table.table)
    parts = {"fresh": fresh.format(table=name), "passed": passed.format(table=name)}
    return INSERT_JOBS.format(**parts, table=name, message_type=table.message_type_sql)
