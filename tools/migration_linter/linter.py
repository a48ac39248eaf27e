"""Finds SQL in migrations that would stop a running system. Run by tests/integration/config/test_migrations.py.

A rolling upgrade migrates while jobs are in flight and the previous version still runs. So no statement may rewrite or
read all rows of a large table under a lock, and nothing may be dropped that the previous version still uses. Each
finding says what to do instead (rules.py). A short ALTER TABLE is fine: it waits at most lock_timeout, 5 s, and can be
run again. The bodies of functions that a migration calls are not read.
"""

import re
from collections.abc import Container, Iterable

from tools.migration_linter import rules
from tools.migration_linter.alter_table import Action, actions
from tools.migration_linter.lexer import read_statements

# Everything that grows with the messages.
LARGE_TABLES = frozenset(
    [
        "integration_inbox",
        "integration_send_serviceops",
        "service_ops_send_serviceops",
        "send_integration",
        "send_clinicalops",
        "packet",
        "packet_document",
        "packet_event",
        "packet_decision",
        "packet_decision_message",
        "inbox_audit",
    ]
)
# Of these apps, the migrations up to that number were made before there was any row.
BEFORE_ANY_ROW = {"inbox": 7, "packets": 5, "decisions": 8}
# Drops that a migration may make, "table" or "table.column", and why the previous version does not need it, such as
# {("inbox", "0012_drop_remark"): {"inbox_worker.remark": "not used since version 0.9"}}.
EXCUSED: dict[tuple[str, str], dict[str, str]] = {}

NAME = r"[\w.$]+"
# Without IF NOT EXISTS: with it, the table may have existed before, with rows.
CREATES = re.compile(rf"CREATE (?:GLOBAL |LOCAL )?(?:TEMP |TEMPORARY |UNLOGGED )?TABLE (?!IF NOT EXISTS\b)({NAME})")
DROPS = re.compile(rf"DROP TABLE (?:IF EXISTS )?({NAME}(?: , {NAME})*)")


def find_problems(statements: Iterable[str], atomic: bool = True, excused: Container[str] = ()) -> list[str]:
    """The problems of these statements of one migration, each as a sentence that says what to do instead.

    Tables and columns in `excused` ("table" or "table.column") may be dropped; that excuses no lock.
    """
    migration = _Migration(atomic, excused)
    return [
        f"{sql[:120]}: instead, {instead}"
        for text in statements
        for sql in read_statements(text)
        for instead in migration.advice(sql)
    ]


class _Migration:
    """Remembers what earlier statements have created: nothing else uses that yet."""

    def __init__(self, atomic: bool, excused: Container[str]) -> None:
        self.atomic = atomic
        self.excused = excused
        self.created: set[str] = set()
        self.may_be_null: set[tuple[str, str | None]] = set()
        self.locked: set[str] = set()

    def advice(self, sql: str) -> list[str]:
        if creates := CREATES.match(sql):
            self.created.add(creates[1].lower())
        found = rules.advice(sql, rules.ANYWHERE)
        if any(self._is_large(table) for table in _tables(sql)):
            found += rules.advice(sql, rules.ON_LARGE)
        if drops := DROPS.match(sql):
            gone = drops[1].lower().split(" , ")
            found += [rules.DROP_TABLE for table in gone if table not in self.created and table not in self.excused]
        return found + self._advice_on_actions(actions(sql))

    def _advice_on_actions(self, steps: list[Action]) -> list[str]:
        found = []
        for step in steps:
            if step.table in self.created:
                continue
            found += self._advice_on_old_code(step)
            if self._is_large(step.table):
                found += rules.advice(step.text, rules.ALTERS_LARGE)
        validates = [step for step in steps if step.text.startswith("VALIDATE ")]
        # The strictest lock of several actions is taken for all, and a transaction keeps its locks to the end.
        if any(self._is_large(step.table) for step in validates) and (
            len(validates) < len(steps) or (self.atomic and steps[0].table in self.locked)
        ):
            found.append(rules.VALIDATE)
        if len(validates) < len(steps):
            self.locked.add(steps[0].table)
        return found

    def _advice_on_old_code(self, step: Action) -> list[str]:
        found = rules.advice(step.text, rules.ALTERS_ANY)
        column = (step.table, step.column)
        if step.text.startswith("ADD COLUMN ") and "NOT NULL" not in step.text:
            self.may_be_null.add(column)
        # Django gives existing rows a default, and drops it again: without it, the previous version writes NULL.
        if step.text.endswith(" DROP DEFAULT") and column in self.may_be_null:
            return []
        name = f"{step.table}.{step.column}" if step.column else step.table
        return [] if name in self.excused else found

    def _is_large(self, table: str) -> bool:
        return table not in self.created and table.rpartition(".")[2] in LARGE_TABLES


def _tables(sql: str) -> list[str]:
    """The tables that the statement locks or changes, not those that it only mentions."""
    if re.match(r"(LOCK|TRUNCATE|CLUSTER|REINDEX|VACUUM)\b", sql):
        # Finds indexes and options too, but no large table has such a name.
        names = re.findall(NAME, sql)
    elif re.match(r"CREATE (UNIQUE )?INDEX\b", sql):
        names = re.findall(rf" ON (?:ONLY )?({NAME})", sql)[:1]
    else:
        # Also inside WITH, FOR … IN and EXPLAIN.
        names = re.findall(rf"\b(?:UPDATE|DELETE FROM|MERGE INTO) (?:ONLY )?({NAME})", sql)
    return [name.lower() for name in names]
