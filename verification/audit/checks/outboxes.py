"""Outbox rows that no decision asked for: their dedupe_key names no packet and round that did."""

from verification.audit.check import Check, Keys
from verification.audit.checks.requests import ASKS_FOR_LETTER


def _of_no_decision(table: str, key: str, asks: str) -> str:
    # A key of another form gives a packet that does not exist; CASE keeps it from being cast.
    return f"""
SELECT request.message_id, '{table} ' || request.message_id
  FROM {table} AS request
 CROSS JOIN LATERAL (
    SELECT CASE WHEN request.dedupe_key ~ '^{key}:[0-9]{{1,18}}:[0-9]{{1,9}}$'
                THEN string_to_array(request.dedupe_key, ':') END AS parts OFFSET 0
 ) AS key
 WHERE request.message_id > %(low)s AND request.message_id <= %(high)s
   AND request.created_at >= %(since)s::timestamptz
   AND NOT EXISTS (
           SELECT 1 FROM packet_decision AS version JOIN packet USING (packet_id)
            WHERE version.packet_id = key.parts[2]::bigint AND version.decision_round = key.parts[3]::int
              AND packet.decision_tracking_id = request.decision_tracking_id AND {asks.format(v="version")} OFFSET 0)
"""


def _check(table: str, key: str, asks: str) -> Check:
    return Check(
        f"rows of {table} of no decision",
        "Another program wrote them, or the decision was lost in a restore: tell the team that reads this outbox, and "
        "find the decision in a backup.",
        _of_no_decision(table, key, asks),
        Keys(table, "message_id"),
    )


CHECKS = [
    _check("send_integration", "letter", ASKS_FOR_LETTER),
    _check("send_clinicalops", "clinical_review", "{v}.decision_type = 'APPROVE'"),
]
