"""Model fields for columns that other programs write: anything the database takes must come back without an error."""

import json
from typing import Any

from django.contrib.postgres.functions import TransactionNow
from django.db import models

# Python's datetime ends at these years; a time zone may shift a value by a day.
READABLE_FROM = "0001-01-02"
READABLE_UNTIL = "9999-12-30"


class ReadableDateTimeField(models.DateTimeField):
    """A timestamp that reads as None where Python has no such time (infinity, the year 20000, before Christ)."""

    def select_format(self, compiler: Any, sql: str, params: Any) -> tuple[str, Any]:
        readable = f"CASE WHEN {sql} BETWEEN '{READABLE_FROM}+00' AND '{READABLE_UNTIL}+00' THEN {sql} END"
        return readable, [*params, *params, *params][: len(params) * 2]


class UnreadableJson(str):
    """JSON text that Python can't decode, such as a number of 5,000 digits; kept as it is."""

    __slots__ = ()


class ReadableJsonField(models.JSONField):
    """JSON that reads as UnreadableJson where Python can't decode what PostgreSQL stores."""

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return UnreadableJson(value)


def now() -> TransactionNow:
    """The default of every timestamp column: the database's clock, never a host's."""
    return TransactionNow()
