"""Distinct values of a column that an index begins with: a few steps in the index, however big the table."""

from django.db import connection

# A SELECT DISTINCT would read the whole index, a second for a million jobs.
STEPS = """
WITH RECURSIVE step AS (
    (SELECT {column} AS value FROM integration_inbox WHERE {column} IS NOT NULL ORDER BY {column} LIMIT 1)
    UNION ALL
    SELECT (SELECT job.{column} FROM integration_inbox AS job
             WHERE job.{column} > step.value AND job.{column} IS NOT NULL ORDER BY job.{column} LIMIT 1)
      FROM step WHERE step.value IS NOT NULL
)
SELECT value FROM step WHERE value IS NOT NULL LIMIT %s
"""
MOST = 100


def sources_seen() -> list[str]:
    """The sources that jobs have, at most 100."""
    return _distinct("source")


def error_kinds_seen() -> list[str]:
    """The error kinds that jobs have, at most 100."""
    return _distinct("error_kind")


def _distinct(column: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(STEPS.format(column=connection.ops.quote_name(column)), [MOST])
        return [value for (value,) in cursor.fetchall()]
