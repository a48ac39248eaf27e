"""Compares the installed objects with those of the migrations: there, valid, switched on, not of another hand."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from verification.set_up.in_force import quoted
from verification.set_up.installed import DbObject
from verification.set_up.mend import change_column, make, make_again, repair
from verification.set_up.trouble import Trouble, of_table

# The meaning of each state; `repair` has the command.
STATES = {
    "unlogged": "is UNLOGGED: it is empty after a crash, and after each failover",
    "row security": "has row level security: rows may be hidden from the sessions that should lock them",
    "invalid": "is INVALID: it is not relied upon, and rows may break it",
    "not validated": "is NOT VALID: rows that were there before may break it",
    "not enforced": "is NOT ENFORCED: any row may break it",
    "triggers disabled": "is not enforced: its triggers are disabled",
    "disabled": "is disabled: it does not fire",
    "foreign function": "calls a function of another schema",
}

CHANGES_ROWS = re.compile(r"^CREATE TRIGGER \S+ (BEFORE|INSTEAD OF) .* FOR EACH ROW ", re.DOTALL)


def object_troubles(expected: Mapping[str, DbObject], installed: Mapping[str, DbObject]) -> list[Trouble]:
    """Troubles with the objects that the migrations make. Others are `not_of_the_migrations`."""
    if not any(one.kind == "table" for one in installed.values()):
        what = "has none of the tables that ServiceOps works on"
        return [Trouble("the schema", what, "manage.py migrate", concerns=tuple(expected))]
    troubles: list[Trouble] = []
    for name, wanted in expected.items():
        there = installed.get(name)
        if there is None:
            troubles.append(_trouble(wanted, "is missing", make(wanted)))
            continue
        troubles += [_trouble(wanted, STATES[state], repair(wanted, state)) for state in there.states]
        if wanted.kind == "table":
            troubles += [_trouble(wanted, what, mend) for what, mend in _columns(wanted, there)]
        elif there.definition != wanted.definition or there.table != wanted.table:
            what = "is not as the migrations made it: " + _difference(there.definition, wanted.definition)
            troubles.append(_trouble(wanted, what, make_again(wanted)))
    return troubles


def of_another_hand(expected: Mapping[str, DbObject], installed: Mapping[str, DbObject]) -> list[Trouble]:
    """Rules and BEFORE triggers that others have put on our tables: each can change or swallow what we write."""
    troubles = []
    for name in not_of_the_migrations(expected, installed):
        one = installed[name]
        if one.kind == "rule" or (one.kind == "trigger" and CHANGES_ROWS.search(one.definition) and not one.states):
            what = "is made by no migration, and can change or swallow what is written"
            mend = f"DROP {one.kind.upper()} {quoted(one.bare_name)} ON {one.table}; unless you know what it does"
            troubles.append(Trouble(one.name, what, mend, **of_table(one.table)))
    return troubles


def not_of_the_migrations(expected: Mapping[str, DbObject], installed: Mapping[str, DbObject]) -> list[str]:
    """The names of objects on our tables that others have made: harmless ones, or not."""
    return [name for name, one in installed.items() if one.table and name not in expected]


def _trouble(wanted: DbObject, what: str, mend: str) -> Trouble:
    where: dict[str, Any] = of_table(wanted.table) if wanted.kind == "table" else {"concerns": (wanted.name,)}
    return Trouble(wanted.name, what, mend, **where)


def _columns(wanted: DbObject, there: DbObject) -> Iterator[tuple[str, str]]:
    """Troubles with the columns of a table, each with the command. More columns are fine, if they may be null."""
    found = _by_name(there)
    for column, definition in _by_name(wanted).items():
        if column not in found:
            yield f"lacks the column {column}", f"ALTER TABLE {wanted.table} ADD COLUMN {column} {definition};"
        elif found[column] != definition:
            what = f"has its column {column} as `{found[column]}`, where the migrations make `{definition}`"
            yield what, change_column(wanted.table, column, found[column], definition)
    for column in found.keys() - _by_name(wanted).keys():
        if re.search("NOT NULL$", found[column]):
            what = f"has a column {column} that ServiceOps does not know and that must not be null: no INSERT works"
            yield what, f"ALTER TABLE {wanted.table} ALTER COLUMN {column} DROP NOT NULL;"


def _by_name(table: DbObject) -> dict[str, str]:
    return {name: rest for name, _, rest in (line.partition(" ") for line in table.definition.splitlines())}


def _difference(there: str, wanted: str) -> str:
    """The first line that differs, of each."""
    ours, theirs = wanted.splitlines(), there.splitlines()
    for mine, other in zip(ours, theirs, strict=False):
        if mine != other:
            return f"it has `{other.strip()}` where they have `{mine.strip()}`"
    longer, word = (theirs, "it has") if len(theirs) > len(ours) else (ours, "it lacks")
    return f"{word} `{longer[min(len(ours), len(theirs))].strip()}`"
