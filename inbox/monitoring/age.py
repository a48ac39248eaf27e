"""Ages: seconds by the database's clock, and how people say them."""

import math

from django.db.models import FloatField, Func

# From twice a unit on, an age is told in it.
UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


class Age(Func):
    """Seconds since a time; below 0 if it is still to come.

    The difference of two numbers, because before PostgreSQL 17 subtracting `infinity` from a time is an error.
    """

    template = "(extract(epoch FROM statement_timestamp()) - extract(epoch FROM %(expressions)s))::float8"
    output_field = FloatField()


def finite(number: float | None) -> float | None:
    """`number`, or None if it is infinite."""
    return number if number is not None and math.isfinite(number) else None


def in_words(age_s: float | None, unknown: str = "an unknown time") -> str:
    """An age in seconds as people say it: 0.4 s, 12 s, 5 min, 3 h, 9 d; `unknown` for None and infinity."""
    if finite(age_s) is None or age_s is None:
        return unknown
    for unit_s, unit in UNITS:
        if abs(age_s) >= 2 * unit_s:
            return f"{age_s / unit_s:,.0f} {unit}"
    if abs(age_s) >= 10:
        return f"{age_s:.0f} s"
    # Clocks of two statements differ by less than a millisecond.
    return f"{round(age_s, 4) or 0:.2g} s"
