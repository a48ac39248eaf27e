"""Finds in the SQL of migrations what would stop a running system: long locks on large tables, what old code misses.

A rolling upgrade migrates while jobs are in flight and the version before still works. So on a large table nothing may
rewrite or read all rows under a lock, and of no table may go away what the version before still uses. Each finding says
how to do it instead (migration_rules). A short ALTER TABLE is fine: it waits at most lock_timeout, 5 s, and is tried
again. What a function does that a migration calls is not read.
"""

import re
from collections.abc import Container, Iterable

from tools.migration_linter import rules
from tools.migration_linter import sql as migration_sql
from tools.migration_linter.alter import Action, actions

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
# What may go one version later, by migration: "table" or "table.column", and how one can see that the version before
# does without. So: {("inbox", "0012_drop_remark"): {"inbox_worker.remark": "not used since version 0.9"}}.
EXCUSED: dict[tuple[str, str], dict[str, str]] = {}

NAME = r"[\w.$]+"
# IF NOT EXISTS is left out: then, the table may have been there before, with rows.
MAKES = re.compile(rf"CREATE (?:GLOBAL |LOCAL )?(?:TEMP |TEMPORARY |UNLOGGED )?TABLE (?!IF NOT EXISTS\b)({NAME})")
DROPS = re.compile(rf"DROP TABLE (?:IF EXISTS )?({NAME}(?: , {NAME})*)")


def findings(statements: Iterable[str], atomic: bool = True, excused: Container[str] = ()) -> list[str]:
    """What is wrong with these statements of one migration, each as a sentence with the way to do it instead.

    What is excused ("table" or "table.column") may go, as the version before does without; no lock is excused by that.
    """
    reading = _Migration(atomic, excused)
    return [
        f"{sql[:120]}: instead, {instead}"
        for text in statements
        for sql in migration_sql.statements(text)
        for instead in reading.advice(sql)
    ]


class _Migration:
    """Remembers what the statements before have made: nothing else uses that yet."""

    def __init__(self, atomic: bool, excused: Container[str]) -> None:
        self.atomic = atomic
        self.excused = excused
        self.made: set[str] = set()
        self.may_be_null: set[tuple[str, str | None]] = set()
        self.locked: set[str] = set()

    def advice(self, sql: str) -> list[str]:
        if creates := MAKES.match(sql):
            self.made.add(creates[1].lower())
        found = rules.advice(sql, rules.ANYWHERE)
        if any(self._is_large(table) for table in _tables(sql)):
            found += rules.advice(sql, rules.ON_LARGE)
        if drops := DROPS.match(sql):
            gone = drops[1].lower().split(" , ")
            found += [rules.DROP_TABLE for table in gone if table not in self.made and table not in self.excused]
        return found + self._of_actions(actions(sql))

    def _of_actions(self, steps: list[Action]) -> list[str]:
        found = []
        for step in steps:
            if step.table in self.made:
                continue
            found += self._of_old_code(step)
            if self._is_large(step.table):
                found += rules.advice(step.text, rules.ALTERS_LARGE)
        validates = [step for step in steps if step.text.startswith("VALIDATE ")]
        # Of several actions, the strictest lock is taken for all; what a transaction has locked stays so to its end.
        if any(self._is_large(step.table) for step in validates) and (
            len(validates) < len(steps) or (self.atomic and steps[0].table in self.locked)
        ):
            found.append(rules.VALIDATE)
        if len(validates) < len(steps):
            self.locked.add(steps[0].table)
        return found

    def _of_old_code(self, step: Action) -> list[str]:
        found = rules.advice(step.text, rules.ALTERS_ANY)
        column = (step.table, step.column)
        if step.text.startswith("ADD COLUMN ") and "NOT NULL" not in step.text:
            self.may_be_null.add(column)
        # Django gives the rows that are there a default, and takes it away again: without it, NULL is written.
        if step.text.endswith(" DROP DEFAULT") and column in self.may_be_null:
            return []
        name = f"{step.table}.{step.column}" if step.column else step.table
        return [] if name in self.excused else found

    def _is_large(self, table: str) -> bool:
        return table not in self.made and table.rpartition(".")[2] in LARGE_TABLES


def _tables(sql: str) -> list[str]:
    """Those that the statement locks or changes, and does not only mention."""
    if re.match(r"(LOCK|TRUNCATE|CLUSTER|REINDEX|VACUUM)\b", sql):
        # More than the tables, such as indexes and options: no large table is called so.
        names = re.findall(NAME, sql)
    elif re.match(r"CREATE (UNIQUE )?INDEX\b", sql):
        names = re.findall(rf" ON (?:ONLY )?({NAME})", sql)[:1]
    else:
        # Also in WITH, FOR … IN and EXPLAIN.
        names = re.findall(rf"\b(?:UPDATE|DELETE FROM|MERGE INTO) (?:ONLY )?({NAME})", sql)
    return [name.lower() for name in names]
