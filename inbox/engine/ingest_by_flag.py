"""Ingest of sources whose rows become eligible, or change, by UPDATE.

A trigger lowers a row's flag whenever its content changes; one transaction raises the flag and makes the job. So every
content gets exactly one job, settled rows cost nothing, and there is no watermark to be late for. A row that its writer
has locked is skipped; its flag stays down, and the next poll finds it.

Failure modes: a row that was restored from a backup, or deleted and written again, has a revision that already has a
job. Its flag stays down, it gets a revision that none has, and the next poll makes its job.
"""

from django.db import connection

from inbox.fields import READABLE_FROM, READABLE_UNTIL
from inbox.registry import ByFlag, Source

# All values come from `fresh`, where FOR UPDATE reads the row as it is now. Read from the table again, they would be
# those of the statement's snapshot: a job of the old revision, and the flag of the new one.
INSERT_JOBS_BY_FLAG = f"""
WITH fresh AS MATERIALIZED (
    SELECT s.message_id, s.{{revision}} AS revision, s.decision_tracking_id, s.created_at, s.updated_at
      FROM {{table}} AS s
     WHERE NOT s.{{flag}} AND {{eligible}} AND NOT s.is_deleted
     ORDER BY s.message_id
     LIMIT %(limit)s
       FOR UPDATE SKIP LOCKED
), born AS (
    INSERT INTO integration_inbox
           (source, message_id, revision, message_type, decision_tracking_id, source_created_at, next_attempt_at)
    SELECT %(source)s, message_id, revision, %(message_type)s, decision_tracking_id,
           CASE WHEN created_at BETWEEN '{READABLE_FROM}+00' AND '{READABLE_UNTIL}+00' THEN created_at END,
           least(greatest(updated_at, 'epoch'), now())
      FROM fresh
     ORDER BY message_id
        ON CONFLICT DO NOTHING
    RETURNING message_id
), raised AS (
    UPDATE {{table}} AS s SET {{flag}} = true FROM born WHERE s.message_id = born.message_id
), renumbered AS (
    UPDATE {{table}} AS s
       SET {{revision}} = (SELECT max(revision) + 1 FROM integration_inbox AS job
                            WHERE job.source = %(source)s AND job.message_id = s.message_id)
      FROM (SELECT message_id FROM fresh EXCEPT SELECT message_id FROM born) AS left_out
     WHERE s.message_id = left_out.message_id
)
SELECT count(*) FROM fresh
"""


def ingest_flagged(source: Source, table: ByFlag, limit: int) -> int:
    """Make jobs of at most `limit` rows whose flag is down, and raise it; returns how many rows that were."""
    quote = connection.ops.quote_name
    sql = INSERT_JOBS_BY_FLAG.format(
        table=quote(table.table), flag=quote(table.flag), revision=quote(table.revision), eligible=table.eligible_sql
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, {"source": source.name, "message_type": table.message_type, "limit": limit})
        return cursor.fetchone()[0]
