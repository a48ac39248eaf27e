"""Writes source rows, each together with the record of what it says: one statement, so nobody commits half of it."""

import json
from collections.abc import Iterable
from uuid import UUID

import psycopg

from tests.chaos.domain.contents import Said, as_columns

TABLE_OF_SOURCE = {
    "integration": "integration_send_serviceops",
    "clinical_decision": "service_ops_send_serviceops",
    "generated_payload": "service_ops_send_serviceops",
}
SOURCE_OF_KIND = {
    "intake": "integration",
    "utn": "integration",
    "clinical": "clinical_decision",
    "payload": "generated_payload",
}
RECORD = """
INSERT INTO chaos_said (tracking_id, source, kind, message_id, created_at, said_at, content, is_deleted)
SELECT written.decision_tracking_id, said.source, said.kind, written.message_id, written.created_at, {said_at},
       said.content, written.is_deleted
  FROM written CROSS JOIN jsonb_to_recordset(%(said)s) AS said(source text, kind text, content jsonb)
RETURNING message_id
"""
INSERT_ROW = """
WITH written AS (
    INSERT INTO {table} ({names}) SELECT {places}, {created_at}
    RETURNING message_id, decision_tracking_id, created_at, is_deleted
)
""" + RECORD.format(said_at="written.created_at")
# Skips a row that others have: the writer may hold it itself, in a transaction that commits late. Where a row says the
# same already, nothing is said.
UPDATE_ROW = """
WITH free AS (
    SELECT message_id FROM {table} WHERE message_id = %(message_id)s AND ({differs}) FOR UPDATE SKIP LOCKED
),
written AS (
    UPDATE {table} AS row SET {changes} FROM free WHERE row.message_id = free.message_id
    RETURNING row.message_id, row.decision_tracking_id, row.created_at, row.is_deleted
)
""" + RECORD.format(said_at="now()")
DELETE_ROW = """
WITH free AS (SELECT message_id FROM {table} WHERE message_id = %(message_id)s FOR UPDATE SKIP LOCKED),
written AS (
    UPDATE {table} AS row SET is_deleted = true FROM free WHERE row.message_id = free.message_id
    RETURNING row.message_id
)
UPDATE chaos_said SET is_deleted = true FROM written
 WHERE source = ANY(%(sources)s) AND chaos_said.message_id = written.message_id
"""


def insert(cursor: psycopg.Cursor, tracking: UUID, said: Iterable[Said], created_at: str = "now()") -> int:
    """One row that says all this; returns its message_id."""
    said = list(said)
    columns = {"decision_tracking_id": tracking}
    for one in said:
        columns |= as_columns(one.columns)
    sql = INSERT_ROW.format(
        table=_table(said[0]),
        names=", ".join([*columns, "created_at"]),
        places=", ".join(map(_place, columns)),
        created_at=created_at,
    )
    return cursor.execute(sql, columns | {"said": _recorded(said)}).fetchall()[0][0]


def rewrite(cursor: psycopg.Cursor, message_id: int, said: Said) -> bool:
    """Let the row say this instead; False if it does, there is no such row, or somebody else has it."""
    columns = as_columns(said.columns)
    changes = ", ".join(f"{name} = {_place(name)}" for name in columns)
    differs = " OR ".join(f"{name} IS DISTINCT FROM {_place(name)}" for name in columns)
    sql = UPDATE_ROW.format(table=_table(said), changes=changes, differs=differs)
    return bool(cursor.execute(sql, columns | {"message_id": message_id, "said": _recorded([said])}).fetchall())


def delete(cursor: psycopg.Cursor, message_id: int, source: str) -> None:
    """Mark the row as deleted, if nobody else has it."""
    table = TABLE_OF_SOURCE[source]
    sources = [name for name, its_table in TABLE_OF_SOURCE.items() if its_table == table]
    cursor.execute(DELETE_ROW.format(table=table), {"message_id": message_id, "sources": sources})


def _table(said: Said) -> str:
    return TABLE_OF_SOURCE[SOURCE_OF_KIND[said.kind]]


def _place(name: str) -> str:
    return f"%({name})s" + ("::jsonb" if name in ("payload", "clinical_ops_decision_json") else "")


def _recorded(said: Iterable[Said]) -> str:
    return json.dumps([{"source": SOURCE_OF_KIND[one.kind], "kind": one.kind, "content": one.content} for one in said])
