"""Finds in the SQL of migrations what would stop a running system: long locks on large tables, what old code misses.

A rolling upgrade migrates while jobs are in flight and the version before still works. So on a large table nothing may
rewrite or read all rows under a lock, and nothing may go away that the version before still uses. Each finding says how
to do it instead. A short ALTER TABLE is fine: it waits at most lock_timeout, 5 s, and is tried again.
"""

import re
from collections.abc import Iterable

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
BEFORE_ANY_ROW = {"inbox": 7, "packets": 6, "decisions": 8}

VOLATILE = r"(gen_random_uuid|uuid_generate_v4|random|clock_timestamp|timeofday|nextval|uuidv7|uuidv4)\s*\("
# What a statement on a large table must not say, unless it says the second; and what to do instead.
Rule = tuple[str, str | None, str]
DROP_INDEX: Rule = (r"^drop index\b", r"\bconcurrently\b", "RemoveIndexConcurrently, in one with atomic = False")
RULES: tuple[Rule, ...] = (
    (r"^create (unique )?index\b", r"\bconcurrently\b", "AddIndexConcurrently, in a migration with atomic = False"),
    (r"^reindex\b", r"\bconcurrently\b", "REINDEX … CONCURRENTLY, in a migration with atomic = False"),
    (r"\balter column \S+ (set data )?type\b", None, "a new column, filled in batches, used by the next version"),
    (r"\bset not null\b", None, "a CHECK, first NOT VALID, then validated in a migration of its own"),
    (
        r"\badd (constraint \S+ )?(check|foreign key|references|unique|primary key|exclude)\b",
        r"\bnot valid\b|\busing index\b",
        "AddConstraintNotValid, then ValidateConstraint in another migration; a unique one by an index CONCURRENTLY",
    ),
    (r"\badd column\b.*\breferences\b", None, "the column first, then the constraint NOT VALID"),
    (rf"\badd column\b.*\bdefault\b.*{VOLATILE}", None, "the column without a default, filled in batches"),
    (r"\badd column\b.*\b(generated|serial|bigserial)\b", None, "a plain column, filled in batches"),
    (r"\badd column\b.*\bnot null\b", r"\bdefault\b", "a default in the database (db_default)"),
    (r"\bdrop column\b|^drop table\b", None, "first a version that does not use it, in the next one the DROP"),
    (r"\brename\b", None, "a new name beside the old one, until no process uses that"),
    (r"^(lock|cluster|truncate|vacuum full)\b|\bset (un)?logged\b|\bset tablespace\b", None, "nothing that locks all"),
    (r"^(update|delete from|with)\b", None, "RunPython with atomic = False, in batches, rows taken by SKIP LOCKED"),
)


def findings(statements: Iterable[str]) -> list[str]:
    """What is wrong with these statements of one migration, each as a sentence with the way to do it instead."""
    found = []
    made: set[str] = set()
    for statement in statements:
        for sql in _split(statement):
            if creates := re.match(r"create (?:unlogged )?table (?:if not exists )?(\w+)", sql):
                made.add(creates[1])
            for table in sorted((LARGE_TABLES - made) & set(re.findall(r"\w+", sql))):
                if _names(sql, table):
                    found += _advice(sql, RULES)
            # It does not name its table.
            found += _advice(sql, (DROP_INDEX,))
    return found


def _advice(sql: str, rules: Iterable[Rule]) -> list[str]:
    return [f"{sql[:120]}: instead, {advice}" for bad, good, advice in rules if _is(sql, bad, good)]


def _is(sql: str, bad: str, good: str | None) -> bool:
    return bool(re.search(bad, sql)) and not (good and re.search(good, sql))


def _names(sql: str, table: str) -> bool:
    """The statement is about that table, and does not only mention it."""
    verbs = r"(alter table|update|delete from|lock( table)?|truncate( table)?|cluster|drop table)( if exists)?( only)?"
    others = rf"\bon (only )?{table}\b|^(reindex|vacuum full)\b.*\b{table}\b"
    return bool(re.search(rf"^{verbs} {table}\b|{others}", sql))


def _split(text: str) -> list[str]:
    """Statements on one line each, in lower case, without quotes, comments and bodies of functions."""
    text = re.sub(r"\$(\w*)\$.*?\$\1\$", "''", text, flags=re.DOTALL)
    text = re.sub(r"--[^\n]*|/\*.*?\*/", " ", text, flags=re.DOTALL)
    parts = (" ".join(part.replace('"', "").split()).lower() for part in text.split(";"))
    return [part for part in parts if part and not part.startswith(("create trigger", "create function"))]
