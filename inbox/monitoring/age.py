"""Ages by the database's clock."""

import math
from typing import Any

from django.db.models import FloatField, Func


class Age(Func):
    """Seconds since a time; below 0 if it is still to come.

    The difference of two numbers, since before PostgreSQL 17 that of a time and `infinity` is an error.
    """

    template = "(extract(epoch FROM statement_timestamp()) - extract(epoch FROM %(expressions)s))::float8"
    output_field = FloatField()


def finite(number: float | None) -> float | None:
    """`number`, or None where it is infinite: no JSON can say that."""
    return number if number is not None and math.isfinite(number) else None


def seconds(age_s: float | None) -> str:
    """For people."""
    return f"{age_s:,.0f} s" if finite(age_s) is not None else "an unknown time"


def all_finite(value: Any) -> Any:
    """The same for all numbers in nested dicts and lists."""
    match value:
        case dict():
            return {key: all_finite(inner) for key, inner in value.items()}
        case list() | tuple():
            return [all_finite(inner) for inner in value]
        case float():
            return finite(value)
    return value
