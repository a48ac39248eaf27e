"""Identities: finds tables whose next number a row already has, and moves the identity past it.

Other programs may supply message ids. When the identity reaches a supplied id, the plain INSERT of that moment fails
with a unique violation, and each failed one uses up one number. So one supplied id makes one INSERT fail; a block of a
thousand makes a thousand fail in a row.

Failure modes: an id near the end of bigint. The identity must not be moved there, because no number is left after
it; it never gets there by itself either, so such ids are ignored.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.apps import apps
from django.db import connection, transaction
from django.db.models import AutoField, BigAutoField, Model

# Half of bigint: at a million rows a second an identity gets there after 146,000 years.
NEVER_REACHED = 2**62

SEQUENCE = "SELECT pg_get_serial_sequence(%s, %s)"
NUMBERS = """
SELECT (SELECT max({column}) FROM {table} WHERE {column} < %s), last_value + is_called::int FROM {sequence}
"""
MOVE = "SELECT setval(%s, %s)"


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity column of a table: the number that the next plain INSERT gets, and the highest that a row has."""

    table: str
    column: str
    sequence: str
    next_value: int
    highest: int | None

    @property
    def is_behind(self) -> bool:
        """A plain INSERT will fail when it reaches the rows that are ahead."""
        return self.highest is not None and self.highest >= self.next_value


def identities_behind(models: Sequence[type[Model]] | None = None) -> list[Identity]:
    """The tables of these models, or of all, whose rows are ahead of their identity. Skips those not made yet."""
    return [identity for model in _models(models) if (identity := _read(model)) and identity.is_behind]


def fix(identity: Identity) -> int | None:
    """Move the identity past the table's rows; returns the next value, or None if it was not behind any more.

    Locks the table against INSERTs for milliseconds: else a number could be given twice. Raises OperationalError if
    others hold the table for longer than lock_timeout.
    """
    quote = connection.ops.quote_name
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {quote(identity.table)} IN SHARE ROW EXCLUSIVE MODE")
        now = _numbers(identity.table, identity.column, identity.sequence)
        if not now.is_behind:
            return None
        cursor.execute(MOVE, [identity.sequence, now.highest])
        return (now.highest or 0) + 1


def _models(models: Sequence[type[Model]] | None = None) -> list[type[Model]]:
    return [
        model
        for model in models or apps.get_models()
        if model._meta.managed and isinstance(model._meta.pk, AutoField | BigAutoField)
    ]


def _read(model: type[Model]) -> Identity | None:
    table, column = model._meta.db_table, str(model._meta.pk.column)
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [connection.ops.quote_name(table)])
        if not cursor.fetchone()[0]:
            return None
        cursor.execute(SEQUENCE, [connection.ops.quote_name(table), column])
        (sequence,) = cursor.fetchone()
    return _numbers(table, column, sequence) if sequence else None


def _numbers(table: str, column: str, sequence: str) -> Identity:
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        # The name of the sequence comes quoted.
        cursor.execute(NUMBERS.format(column=quote(column), table=quote(table), sequence=sequence), [NEVER_REACHED])
        highest, next_value = cursor.fetchone()
    return Identity(table, column, sequence, next_value, highest)
