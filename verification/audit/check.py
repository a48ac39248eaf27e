"""A check: SQL that finds the rows of one kind of damage, and what to do about it. Plain data, one entry per kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Keys:
    """The table that a check reads in ranges of its primary key.

    made_at  the column that says when a row was made
    rises    the keys rise with that time, so that `--since` begins at a key; other programs may choose theirs
    by_time  ranges are of (made_at, key) instead, for a table that has an index on both
    """

    table: str
    key: str
    made_at: str = "created_at"
    rises: bool = True
    by_time: bool = False


JOBS = Keys("integration_inbox", "inbox_id")
VERSIONS = Keys("packet_decision", "packet_decision_id")


def no_values() -> Mapping[str, Any]:
    """The values of a check whose SQL needs none."""
    return {}


@dataclass(frozen=True, slots=True)
class Check:
    """One kind of damage.

    name   what is looked for, such as "two active versions of one packet"
    do     what to do about it
    sql    a SELECT of (key, text) of each damaged row. It may use %(since)s, a time as text, and with `keys` the range
           that begins after %(low)s and ends with %(high)s; by time, after the pair (%(low_at)s, %(low)s)
    keys   None: one statement reads few rows, by an index or of a small table
    values further values of the SQL
    asks   gives those that depend on the data; called once per audit, whichever checks need it
    find   instead of `sql`: gives the texts of all damaged rows
    """

    name: str
    do: str
    sql: str = ""
    keys: Keys | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    asks: Callable[[], Mapping[str, Any]] = no_values
    find: Callable[[], list[str]] | None = None
