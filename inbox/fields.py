"""Model fields for columns that other programs write: anything the database takes must come back without an error."""

from datetime import datetime
from typing import Any

from django.contrib.postgres.functions import TransactionNow
from django.db import models

# Python's datetime ends at these years; a time zone may shift a value by a day.
READABLE_FROM = "0001-01-02"
READABLE_UNTIL = "9999-12-30"

# Values outside are read as these: outside too, but every driver and time zone can express them.
BEFORE = "0001-01-01 12:00+00"
AFTER = "9999-12-31 00:00+00"
FIRST = datetime.fromisoformat(f"{READABLE_FROM}T00:00+00:00")
LAST = datetime.fromisoformat(f"{READABLE_UNTIL}T00:00+00:00")


def readable(value: datetime | None) -> datetime | None:
    """The time, or None for one that a page could not show: a time zone would shift it out of Python's years."""
    return value if value is not None and FIRST <= value <= LAST else None


class ReadableDateTimeField(models.DateTimeField):
    """A timestamp that reads as None where Python has no such time (infinity, the year 20000, before Christ).

    It is clamped, not made null, on its way out of the database: Django orders a values() query by what is selected.
    """

    def select_format(self, compiler: Any, sql: str, params: Any) -> tuple[str, Any]:
        """Only the SELECT list (and GROUP BY) is changed; WHERE uses the raw column and its index."""
        readable = (
            f"CASE WHEN {sql} < '{READABLE_FROM}+00' THEN '{BEFORE}'::timestamptz "
            f"WHEN {sql} > '{READABLE_UNTIL}+00' THEN '{AFTER}'::timestamptz ELSE {sql} END"
        )
        return readable, [*params, *params, *params]

    def from_db_value(self, value: datetime | None, expression: Any, connection: Any) -> datetime | None:
        return readable(value)


class UnreadableJson(str):
    """JSON text that Python can't decode, such as a number of 5,000 digits; kept as it is."""

    __slots__ = ()


class ReadableJsonField(models.JSONField):
    """JSON that reads as UnreadableJson where Python can't decode what PostgreSQL stores."""

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        try:
            return super().from_db_value(value, expression, connection)
        except (ValueError, RecursionError):
            return UnreadableJson(value)


def now() -> TransactionNow:
    """The default of every timestamp column: the database's clock, never a host's."""
    return TransactionNow()
