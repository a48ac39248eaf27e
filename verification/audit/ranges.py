"""Ranges: walks over a table in ranges of its key, so that no statement takes long however large the table is."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import connection

from verification.audit.check import Keys
from verification.audit.reading import read_row

# Rows per range: under a second for the slowest check, of the 30 s that a statement may take.
SIZE = 50_000
# Keys rise with the time when a row was made, but for transactions at the same time. None of ours takes that long.
LONGEST_TRANSACTION = "interval '1 hour'"

LOWEST = -(2**63)
# Times travel as text: -infinity, infinity and BC are valid in the database, and no driver reads them.
BEGINNING = "-infinity"

SELECT_RANGE = """
SELECT {key}::text, {made_at}::text, count(*) OVER ()
  FROM (SELECT {key}, {made_at} FROM {table} WHERE {after} ORDER BY {order} LIMIT %(size)s) AS range
 ORDER BY {order_back} LIMIT 1
"""
AFTER_KEY = "{key} > %(low)s"
AFTER_TIME_AND_KEY = "({made_at}, {key}) > (%(low_at)s::timestamptz, %(low)s)"
SELECT_ENDS = "SELECT min({key}), max({key}) FROM {table}"
IS_BEFORE = f"""
SELECT {{made_at}} < %(since)s::timestamptz - {LONGEST_TRANSACTION}
  FROM {{table}} WHERE {{key}} > %(key)s ORDER BY {{key}} LIMIT 1
"""


def time_of(since: datetime | None) -> str:
    """The time as the SQL of checks takes it."""
    return since.isoformat() if since else BEGINNING


def ranges(keys: Keys, since: datetime | None, size: int = SIZE) -> Iterator[dict[str, Any]]:
    """The values of the SQL for each range, in order; `rows` is how many rows it has."""
    low, low_at = str(_start(keys, since, size)), time_of(since) if keys.by_time else BEGINNING
    order = [keys.made_at, keys.key] if keys.by_time else [keys.key]
    sql = _sql(
        SELECT_RANGE.replace("{after}", AFTER_TIME_AND_KEY if keys.by_time else AFTER_KEY),
        keys,
        order=", ".join(order),
        order_back=", ".join(f"range.{column} DESC" for column in order),
    )
    # Keys travel as text, too: the driver writes the lowest one as a number that is too large, and then negates it.
    while row := read_row(sql, {"low": low, "low_at": low_at, "size": size}):
        high, high_at, rows = row
        yield {"low": low, "low_at": low_at, "high": high, "high_at": high_at, "rows": rows}
        low, low_at = high, high_at
        if rows < size:
            return


def _start(keys: Keys, since: datetime | None, size: int) -> int:
    """A key below which no row was made since then."""
    if since is None or keys.by_time or not keys.rises:
        return LOWEST
    first, last = read_row(_sql(SELECT_ENDS, keys), {}) or (None, None)
    if first is None:
        return LOWEST
    low, high = first - 1, last
    is_before = _sql(IS_BEFORE, keys)
    while high - low > size:
        middle = (low + high) // 2
        found = read_row(is_before, {"key": middle, "since": time_of(since)})
        low, high = (middle, high) if found and found[0] else (low, middle)
    return low


def _sql(template: str, keys: Keys, **more: str) -> str:
    quote = connection.ops.quote_name
    return template.format(table=quote(keys.table), key=quote(keys.key), made_at=quote(keys.made_at), **more)
