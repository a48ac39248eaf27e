"""Takes constraints, indexes and triggers out of the database while a block lasts, and puts them back as they were.

On a scratch database only: each needs an exclusive lock on the table. Failure mode: a unique key can't come back
while rows break it, so `clean` removes those first.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connection

SELECT_CONSTRAINT = """
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND conname = %s
"""
SELECT_INDEX = "SELECT pg_get_indexdef(to_regclass(%s))"
SELECT_TRIGGER = "SELECT tgenabled::text FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname = %s"
# The ways in which a trigger is switched on, as pg_trigger.tgenabled has them.
ENABLE = {"O": "ENABLE", "A": "ENABLE ALWAYS", "R": "ENABLE REPLICA"}


def nothing() -> None:
    """Nothing has to be cleaned."""


@contextmanager
def without_constraint(table: str, name: str, clean: Callable[[], None] = nothing) -> Iterator[None]:
    """Drop a constraint until the block ends; `clean` then removes the rows that break it. Raises LookupError."""
    definition = _the_one(SELECT_CONSTRAINT, [table, name], f"constraint {name} of {table}")
    _execute(f"ALTER TABLE {_quoted(table)} DROP CONSTRAINT {_quoted(name)}")
    try:
        yield
    finally:
        clean()
        _execute(f"ALTER TABLE {_quoted(table)} ADD CONSTRAINT {_quoted(name)} {definition}")


@contextmanager
def without_index(name: str, clean: Callable[[], None] = nothing) -> Iterator[None]:
    """Drop an index until the block ends; `clean` then removes the rows that break it. Raises LookupError."""
    definition = _the_one(SELECT_INDEX, [name], f"index {name}")
    _execute(f"DROP INDEX {_quoted(name)}")
    try:
        yield
    finally:
        clean()
        _execute(definition)


@contextmanager
def without_trigger(table: str, name: str) -> Iterator[None]:
    """Switch a trigger off until the block ends. Raises LookupError if there is none, or it is off already."""
    enabled = _the_one(SELECT_TRIGGER, [table, name], f"trigger {name} of {table}")
    if enabled not in ENABLE:
        raise LookupError(f"trigger {name} of {table} is off already")
    _execute(f"ALTER TABLE {_quoted(table)} DISABLE TRIGGER {_quoted(name)}")
    try:
        yield
    finally:
        _execute(f"ALTER TABLE {_quoted(table)} {ENABLE[enabled]} TRIGGER {_quoted(name)}")


def _the_one(query: str, values: list[str], what: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        row = cursor.fetchone()
    if row is None or row[0] is None:
        raise LookupError(f"there is no {what}")
    return row[0]


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        # Without values, so that a % in a definition stays one.
        cursor.execute(statement)


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)
