"""Reads all that is known of the cases of a run, some at a time."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.db import connection

from decisions.models import PacketDecision
from inbox.fields import READABLE_FROM, READABLE_UNTIL
from packets.order import BEGINNING
from tests.chaos.domain.account import Case


def _readable(column: str) -> str:
    """The time as the project reads it: null if Python has no such time."""
    name = column.partition(".")[2]
    return f"CASE WHEN {column} BETWEEN '{READABLE_FROM}+00' AND '{READABLE_UNTIL}+00' THEN {column} END AS {name}"


SELECT_IDS = """
SELECT DISTINCT tracking_id FROM chaos_said WHERE tracking_id > %s ORDER BY tracking_id LIMIT %s
"""
OF_ONE_ROW = "('clinical_decision', 'generated_payload')"
# A row that was inserted with a time in the future was written before it was taken in.
SELECT_SAID = f"""
SELECT said.tracking_id, source, kind, message_id, {_readable("said.created_at")}, {_readable("said.said_at")}, content,
       is_deleted
  FROM (SELECT said_id, said.tracking_id, said.source, kind, said.message_id, said.created_at, content, is_deleted,
               CASE WHEN said_at = said.created_at AND said_at <= '{READABLE_UNTIL}+00'
                    THEN least(said_at, taken_in_at) ELSE said_at END AS said_at
          FROM chaos_said AS said
         CROSS JOIN LATERAL (SELECT min(created_at) AS taken_in_at FROM integration_inbox AS job
                              WHERE job.message_id = said.message_id
                                AND (job.source = said.source
                                     OR job.source IN {OF_ONE_ROW} AND said.source IN {OF_ONE_ROW})) AS job
         WHERE said.tracking_id = ANY(%(ids)s)) AS said
 ORDER BY said_id
"""
SELECT_JOBS = """
SELECT said.tracking_id, job.source, job.message_id, job.revision, job.status, job.note, job.error_kind
  FROM (SELECT DISTINCT tracking_id, source, message_id FROM chaos_said WHERE tracking_id = ANY(%(ids)s)) AS said
  JOIN integration_inbox AS job USING (source, message_id)
"""
SELECT_KEPT = """
SELECT packet.decision_tracking_id AS tracking_id, message.source, message.kind, message.message_id, message.revision,
       message.created_at, message.said_at, message.content, message.payload
  FROM packet JOIN packet_decision_message AS message USING (packet_id)
 WHERE packet.decision_tracking_id = ANY(%(ids)s)
"""
SELECT_CLICKS = """
SELECT packet.decision_tracking_id AS tracking_id, click.correlation_id, click.verb, click.answer
  FROM packet JOIN chaos_click AS click USING (packet_id)
 WHERE packet.decision_tracking_id = ANY(%(ids)s)
"""
SELECT_PACKETS = """
SELECT decision_tracking_id AS tracking_id, packet_id, detailed_status, intake_message_id,
       ARRAY(SELECT document_unique_identifier FROM packet_document AS document
              WHERE document.packet_id = packet.packet_id) AS documents
  FROM packet WHERE decision_tracking_id = ANY(%(ids)s)
"""


def read_cases(at_once: int) -> Iterator[tuple[UUID, Case]]:
    """All cases of which something was said, with their tracking ids."""
    last = UUID(int=0)
    while ids := [row["tracking_id"] for row in _rows(SELECT_IDS, [last, at_once])]:
        yield from _read(ids).items()
        last = ids[-1]


def _read(ids: list[UUID]) -> dict[UUID, Case]:
    cases = {tracking_id: Case() for tracking_id in ids}
    values = {"ids": ids}
    for row in _rows(SELECT_SAID, values):
        cases[row["tracking_id"]].said.append(row | {"at": row["created_at"] or BEGINNING})
    for row in _rows(SELECT_KEPT, values):
        cases[row["tracking_id"]].kept.append(row)
    for row in _rows(SELECT_JOBS, values):
        cases[row["tracking_id"]].jobs[row["source"], row["message_id"]].append(row)
    for row in _rows(SELECT_CLICKS, values):
        cases[row["tracking_id"]].clicks.append(row)
    packets = {}
    for row in _rows(SELECT_PACKETS, values):
        cases[row["tracking_id"]].packet = row
        packets[row["packet_id"]] = row["tracking_id"]
    for version in PacketDecision.objects.filter(is_active=True, packet__packet_id__any_of=list(packets)):
        cases[packets[version.packet_id]].version = version
    return cases


def _rows(sql: str, values: Any) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        names = [column.name for column in cursor.description]
        return [_decoded(dict(zip(names, row, strict=True))) for row in cursor.fetchall()]


def _decoded(row: dict[str, Any]) -> dict[str, Any]:
    # Django's connections give JSON as text.
    return row | {name: json.loads(row[name]) for name in ("content", "payload") if isinstance(row.get(name), str)}
