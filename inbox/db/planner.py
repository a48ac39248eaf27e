"""By index: makes the planner read an index in its order, whatever the statistics say.

A page must not depend on when the last ANALYZE was. With statistics from a moment when nothing was open, or nearly all
was dead, the planner reads the whole table, or sorts all open jobs, to show the first fifty.
Failure modes: a query without a fitting index is as slow as before, or slower; tests ask EXPLAIN.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

# Parallel workers cost some ms to start, and much more on a busy machine. Before PostgreSQL 18 a sort that nothing can
# avoid counts as so costly that the query is compiled first, which takes 100 ms.
SETTINGS = ("enable_seqscan", "enable_bitmapscan", "enable_sort", "jit")
ONLY_BY_INDEX = ";".join(f"SET LOCAL {name} = off" for name in SETTINGS) + (
    ";SET LOCAL max_parallel_workers_per_gather = 0"
)
AS_BEFORE = ";".join(f"SET LOCAL {name} = DEFAULT" for name in (*SETTINGS, "max_parallel_workers_per_gather"))


@contextmanager
def by_index() -> Iterator[None]:
    """For the queries inside, in a transaction of their own, or in that of the caller, whose settings are restored."""
    is_inner = connection.in_atomic_block
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        cursor.execute(ONLY_BY_INDEX)
        yield
        if is_inner:
            cursor.execute(AS_BEFORE)
