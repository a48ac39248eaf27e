"""Ingest: makes a job of every source row, exactly once, whenever the row commits.

`created_at` is stamped before COMMIT, so a row may appear behind a watermark that has passed it. Three floors:
WATERMARK reads what lies above the pair (created_at, message_id), at every poll; LOOKBACK starts INBOX_LOOKBACK
seconds lower, every so often; RECONCILE starts at pruned_before, now and then, and what it finds is an incident.
All have an anti-join and a unique key behind them, so a floor only decides the cost, never the truth.

No value of a source row leaves the database here: what a driver can't read can't stop the batch.
"""

import logging
from dataclasses import dataclass
from enum import Enum

from django.db import connection, transaction
from django.db.models import F

from inbox import conf
from inbox.fields import READABLE_FROM, READABLE_UNTIL
from inbox.models import PollWatermark
from inbox.registry import Source

logger = logging.getLogger("inbox.ingest")

# Rows per INSERT. One statement makes about 100,000 jobs a second, so a larger one would only hold the lock longer.
INGEST_LIMIT = 2000


LOWEST_ID = "'-9223372036854775808'::bigint"


class Floor(Enum):
    """From where to read: SQL expressions for the pair that rows must not lie below."""

    WATERMARK = ("coalesce(mark.last_created_at, '-infinity')", f"coalesce(mark.last_message_id, {LOWEST_ID})")
    LOOKBACK = ("coalesce(mark.last_created_at - %(lookback_s)s * interval '1 second', '-infinity')", LOWEST_ID)
    RECONCILE = ("coalesce(mark.pruned_before, '-infinity')", LOWEST_ID)


# One statement in SQL: through the ORM every row would travel to Python and back.
# OFFSET 0 keeps the planner from turning the anti-join into a loop over all jobs, which it does while its statistics
# say that there are none: 2,000 rows then took 1.2 s instead of 30 ms. Only keys are sorted, never payloads.
INGEST = """
WITH floor AS MATERIALIZED (
    SELECT {created_at} AS created_at, {message_id} AS message_id
      FROM poll_watermark AS mark WHERE mark.source = %(source)s
), fresh AS MATERIALIZED (
    SELECT s.message_id, s.created_at
      FROM {table} AS s
     WHERE (s.created_at, s.message_id) >= ((SELECT created_at FROM floor), (SELECT message_id FROM floor))
       AND NOT s.is_deleted
       AND NOT EXISTS (SELECT 1 FROM integration_inbox AS job
                        WHERE job.source = %(source)s AND job.message_id = s.message_id AND job.revision = 1
                       OFFSET 0)
     ORDER BY s.created_at, s.message_id
     LIMIT %(limit)s
), born AS (
    INSERT INTO integration_inbox
           (source, message_id, message_type, decision_tracking_id, channel_type_id, source_created_at, next_attempt_at)
    SELECT %(source)s, s.message_id, {message_type}, s.decision_tracking_id, s.channel_type_id,
           CASE WHEN s.created_at BETWEEN '{readable_from}+00' AND '{readable_until}+00' THEN s.created_at END,
           least(greatest(s.created_at, 'epoch'), now())
      FROM fresh JOIN {table} AS s USING (message_id)
     ORDER BY s.created_at, s.message_id
        ON CONFLICT DO NOTHING
    RETURNING 1
), passed AS (
    -- A row from the future, or from before anything was sent, must not drag the mark along.
    SELECT created_at, message_id FROM fresh
     WHERE created_at BETWEEN 'epoch' AND now()
     ORDER BY created_at DESC, message_id DESC LIMIT 1
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


@dataclass(frozen=True, slots=True)
class Ingested:
    """How many jobs were made, and whether there may be more rows right now."""

    count: int
    is_full: bool


def ingest(source: Source, floor: Floor = Floor.WATERMARK, *, limit: int = INGEST_LIMIT) -> Ingested:
    """Make jobs of at most `limit` rows of `source` that have none yet, oldest first."""
    with transaction.atomic():
        _lock_watermark(source)
        with connection.cursor() as cursor:
            cursor.execute(
                _statement(source, floor),
                {"source": source.name, "limit": limit, "lookback_s": conf.lookback_s()},
            )
            found, count = cursor.fetchone()
        if count and floor is Floor.RECONCILE:
            PollWatermark.objects.filter(source=source.name).update(reconcile_finds=F("reconcile_finds") + count)
    if count and floor is Floor.RECONCILE:
        logger.error("incident: the reconcile of %s found %d rows that every other look had missed", source.name, count)
    return Ingested(count, is_full=found >= limit)


def _lock_watermark(source: Source) -> None:
    """Wait for the lock, never skip: who skips reads rows that the lock's holder is about to pass, and loses them."""
    locked = PollWatermark.objects.select_for_update().filter(source=source.name).values_list("source")
    if not locked.first():
        PollWatermark.objects.get_or_create(source=source.name)
        locked.first()


def _statement(source: Source, floor: Floor) -> str:
    created_at, message_id = floor.value
    return INGEST.format(
        created_at=created_at,
        message_id=message_id,
        table=connection.ops.quote_name(source.table),
        message_type=source.message_type_sql,
        readable_from=READABLE_FROM,
        readable_until=READABLE_UNTIL,
    )
