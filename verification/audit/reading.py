"""Reading: each statement of an audit in a transaction of its own that can't write, and that ends at once.

So it writes nothing whatever a check says, and no old snapshot keeps dead rows from being removed.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction

# By index only: with statistics from a time when a table was empty, the planner would read all of it for each row.
# Compiling a statement takes longer than most of them do.
READ_ONLY = """
SET LOCAL transaction_read_only = on;
SET LOCAL enable_seqscan = off;
SET LOCAL jit = off;
SET LOCAL max_parallel_workers_per_gather = 0
"""


@contextmanager
def reading() -> Iterator[None]:
    """A transaction that can't write."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(READ_ONLY)
        yield


def read_row(sql: str, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """The first row of one statement."""
    with reading(), connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchone()
