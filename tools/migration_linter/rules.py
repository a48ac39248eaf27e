"""Rules: statements, as lexer.py and alter_table.py read them, that a migration must not have, and what to do instead.

A rule is a pattern, a pattern that excuses it, and the advice. The excuse counts only outside parentheses.
"""

import re
from collections.abc import Iterable

from tools.migration_linter.alter_table import outside_parentheses

Rule = tuple[str, str | None, str]

CONCURRENTLY = "in a migration with atomic = False"
REINDEX = r"^REINDEX (?!.*\bCONCURRENTLY\b(?! (?:FALSE|OFF|0)\b))"
VACUUM_FULL = r"^VACUUM (?:FULL\b|\([^)]*\bFULL\b)"
VOLATILE = r"\b(GEN_RANDOM_UUID|UUID_GENERATE_V4|RANDOM|CLOCK_TIMESTAMP|TIMEOFDAY|NEXTVAL|UUIDV7|UUIDV4)\s*\("

# Statements that name no table, or mean all tables.
ANYWHERE: tuple[Rule, ...] = (
    (r"^DROP INDEX (?!CONCURRENTLY\b)", None, f"RemoveIndexConcurrently, {CONCURRENTLY}"),
    (rf"{REINDEX}(\([^)]*\) )?(INDEX|SCHEMA|DATABASE|SYSTEM)\b", None, f"REINDEX … CONCURRENTLY, {CONCURRENTLY}"),
    (r"^VACUUM (FULL|\([^)]*\bFULL\b[^)]*\))( FREEZE| VERBOSE| ANALYZE)*$", None, "nothing that locks all tables"),
    (r"^CLUSTER( VERBOSE| \([^)]*\))?$|^ALTER TABLE ALL IN TABLESPACE\b", None, "nothing that locks all tables"),
    (r"^TRUNCATE\b.* CASCADE$", None, "nothing that reaches other tables"),
    (r"^(DROP|ALTER) SCHEMA\b|^(DROP|REASSIGN) OWNED\b", None, "nothing that reaches all tables"),
    (
        r"^EXECUTE (?!'')|^EXECUTE '' (''|\|\|)",
        None,
        "the statement in full: a string that is built at run time can't be read here",
    ),
)
# Statements that name a large table.
ON_LARGE: tuple[Rule, ...] = (
    (r"^CREATE (UNIQUE )?INDEX (?!CONCURRENTLY\b)", None, f"AddIndexConcurrently, {CONCURRENTLY}"),
    (rf"{REINDEX}", None, f"REINDEX … CONCURRENTLY, {CONCURRENTLY}"),
    (rf"^(LOCK|CLUSTER|TRUNCATE)\b|{VACUUM_FULL}", None, "nothing that locks all"),
    (
        r"\b(UPDATE|DELETE FROM|MERGE INTO)\b",
        None,
        "RunPython with atomic = False, in batches, rows taken by SKIP LOCKED",
    ),
)
# Actions of ALTER TABLE on a large table.
ALTERS_LARGE: tuple[Rule, ...] = (
    (r"^ALTER COLUMN \S+ (SET DATA )?TYPE\b", None, "a new column, filled in batches, used by the next version"),
    (r"^ALTER COLUMN \S+ SET EXPRESSION\b", None, "a new column, filled in batches, used by the next version"),
    (
        r"^ALTER COLUMN \S+ SET NOT NULL\b",
        None,
        "a CHECK, first NOT VALID, then validated in a migration of its own",
    ),
    (
        r"^ADD (CONSTRAINT \S+ )?(CHECK|FOREIGN KEY|UNIQUE|PRIMARY KEY|EXCLUDE|NOT NULL)\b",
        r"\bNOT VALID\b|\bUSING INDEX\b",
        "AddConstraintNotValid, then ValidateConstraint in another migration; a unique one by an index CONCURRENTLY",
    ),
    (
        r"^ADD COLUMN .*\b(REFERENCES|CHECK|UNIQUE|PRIMARY KEY)\b",
        None,
        "the column first, then the constraint NOT VALID, a unique one by an index CONCURRENTLY",
    ),
    (rf"^ADD COLUMN .*\bDEFAULT\b.*{VOLATILE}", None, "the column without a default, filled in batches"),
    (
        r"^ADD COLUMN .*\b(GENERATED|(SMALL|BIG)?SERIAL[248]?)\b",
        None,
        "a plain column, filled in batches",
    ),
    (r"^SET ((UN)?LOGGED|TABLESPACE|ACCESS METHOD)\b", None, "nothing that locks all"),
)
# Actions on any table that break the previous version.
ALTERS_ANY: tuple[Rule, ...] = (
    (r"^DROP COLUMN\b", None, "first a version that does not use it, in the next one the DROP"),
    (r"^RENAME\b|^SET SCHEMA\b", None, "a new name beside the old one, until no process uses that"),
    (
        r"^ADD COLUMN .*\b(NOT NULL|PRIMARY KEY)\b",
        r"(?<!\bSET )\bDEFAULT (?!NULL\b)|\bGENERATED\b|\b(SMALL|BIG)?SERIAL[248]?\b",
        "a default in the database (db_default)",
    ),
    (
        r"^ALTER COLUMN \S+ SET NOT NULL\b|^ADD (CONSTRAINT \S+ )?NOT NULL\b",
        None,
        "first a version that always writes it, in the next one NOT NULL",
    ),
    (
        r"^ALTER COLUMN \S+ DROP (DEFAULT|IDENTITY|EXPRESSION)\b",
        None,
        "a default in the database (db_default) that stays until no process inserts without the column",
    ),
)
DROP_TABLE = "first a version that does not use it, in the next one the DROP"
VALIDATE = "VALIDATE in another migration: here it reads all rows under the lock of the ALTER TABLE before it"


def advice(sql: str, rules: Iterable[Rule]) -> list[str]:
    """The way to do it instead, for each rule that the statement breaks."""
    return [
        instead
        for bad, good, instead in rules
        if re.search(bad, sql) and not (good and re.search(good, outside_parentheses(sql)))
    ]
