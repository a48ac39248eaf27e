"""Damage made by hand, as no program of ours could: without triggers, constraints and unique indexes."""

from django.db import connection

TABLES = (
    "integration_inbox",
    "inbox_audit",
    "packet_decision",
    "packet_decision_message",
    "packet_event",
    "packet_document",
    "packet",
    "send_integration",
    "send_clinicalops",
    "service_ops_send_serviceops",
)
# All but primary keys and NOT NULL; foreign keys after what they refer to.
SELECT_CONSTRAINTS = """
SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype IN ('u', 'c', 'f') ORDER BY contype DESC
"""
UNIQUE_INDEXES = ("decision_one_active_per_packet",)


def disarm() -> None:
    """Take all protections of these tables away, until the transaction of the test is rolled back."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for name in UNIQUE_INDEXES:
            cursor.execute(f"DROP INDEX {name}")
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            cursor.execute(SELECT_CONSTRAINTS, [table])
            for (name,) in cursor.fetchall():
                cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name} CASCADE")


def damage(sql: str, **values) -> None:
    """Damage rows by plain SQL."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def copy(table: str, key: str, where: str, **changes: str) -> int:
    """Insert a copy of the one row that `where` selects, with these columns as SQL; returns its key."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} LIMIT 0")
        names = [column.name for column in cursor.description if column.name != key]
        values = [changes.get(name, f'"{name}"') for name in names]
        columns = ", ".join(f'"{name}"' for name in names)
        cursor.execute(
            f"INSERT INTO {table} ({columns}) SELECT {', '.join(values)} FROM {table} WHERE {where} RETURNING {key}"
        )
        [(made,)] = cursor.fetchall()
        return made
