"""Rows of other programs that should have a job, and watermarks that would pass rows unread."""

from django.db import connection

from inbox import registry
from inbox.engine.ingest import IS_NEW
from inbox.registry import ByFlag, ByWatermark, Source
from verification.audit.check import Check, Keys
from verification.audit.checks.pruned import pruned_until

# Younger ones may have committed just now: the lookback comes about every 10 seconds.
SETTLED = "s.created_at < now() - interval '1 minute'"

SELECT_PASSED_ROWS = f"""
SELECT s.message_id, '{{name}} ' || s.message_id
  FROM {{table}} AS s
 WHERE (s.created_at, s.message_id) > (%(low_at)s::timestamptz, %(low)s)
   AND (s.created_at, s.message_id) <= (%(high_at)s::timestamptz, %(high)s)
   AND (s.created_at, s.message_id)
       <= (SELECT last_created_at, last_message_id FROM poll_watermark WHERE source = %(source)s)
   AND s.created_at >= %(since)s::timestamptz AND {SETTLED}
   AND NOT s.is_deleted AND {IS_NEW}
"""
SELECT_FLAGGED_ROWS = """
SELECT s.message_id, '{name} ' || s.message_id || ', revision ' || s.{revision}
  FROM {table} AS s
 WHERE s.message_id > %(low)s AND s.message_id <= %(high)s
   AND s.{flag} AND {eligible} AND NOT s.is_deleted
   AND s.updated_at >= greatest(%(since)s::timestamptz, %(pruned_until)s::timestamptz)
   AND NOT EXISTS (SELECT 1 FROM integration_inbox AS job
                    WHERE job.source = %(source)s AND job.message_id = s.message_id AND job.revision = s.{revision}
                   OFFSET 0)
"""
SELECT_FUTURE_WATERMARKS = """
SELECT 0, source || ': ' || concat_ws(', ', CASE WHEN last_created_at > now() THEN 'last_created_at' END,
                                            CASE WHEN pruned_before > now() THEN 'pruned_before' END)
  FROM poll_watermark WHERE last_created_at > now() OR pruned_before > now()
"""

MAKE_JOBS = (
    "A worker makes their jobs: UPDATE poll_watermark SET next_lookback_at = now(), next_reconcile_at = now(); then "
    "manage.py {command} --drain."
)
LOWER_FLAG = (
    "Lower the flag, and a worker makes their jobs: UPDATE {table} SET {flag} = false WHERE message_id IN (…); then "
    "manage.py {command} --drain."
)

CHECKS = [
    Check(
        "a watermark ahead of the clock",
        "See that the clock of the server is right. Then let the source be read from its beginning, which makes no job "
        "twice: UPDATE poll_watermark SET last_created_at = NULL, last_message_id = NULL WHERE source = '…'. Set "
        "pruned_before back to the time of the last prune.",
        SELECT_FUTURE_WATERMARKS,
    ),
]


def source_checks() -> list[Check]:
    """One for each source that reads a table."""
    return [check for source in registry.sources() for check in _checks_of(source)]


def _checks_of(source: Source) -> list[Check]:
    quote = connection.ops.quote_name
    match source.reads:
        case ByWatermark(table=table):
            return [
                Check(
                    f"rows of {table} below the watermark without a job",
                    MAKE_JOBS.format(command=source.command),
                    SELECT_PASSED_ROWS.format(name=table, table=quote(table)),
                    Keys(table, "message_id", by_time=True),
                    {"source": source.name},
                )
            ]
        case ByFlag(table=table, flag=flag, revision=revision, eligible_sql=eligible):
            columns = {"flag": quote(flag), "revision": quote(revision), "eligible": eligible}
            return [
                Check(
                    f"rows of {table} with {flag} and without a job",
                    LOWER_FLAG.format(table=table, flag=flag, command=source.command),
                    SELECT_FLAGGED_ROWS.format(name=table, table=quote(table), **columns),
                    Keys(table, "message_id", rises=False),
                    {"source": source.name},
                    pruned_until,
                )
            ]
        case None:
            return []
