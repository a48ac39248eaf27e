"""Requests that no decision asked for: their dedupe_key, or message id, names no packet and round or version."""

from decisions.outbox import PAYLOAD_SOURCE
from verification.audit.check import JOBS, Check, Keys
from verification.audit.checks.jobs import IN_RANGE
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


SELECT_PAYLOADS_OF_NO_DECISION = f"""
SELECT job.inbox_id, 'job ' || job.inbox_id || ', for version ' || job.message_id
  FROM integration_inbox AS job
 WHERE {IN_RANGE} AND job.source = '{PAYLOAD_SOURCE}'
   AND NOT EXISTS (SELECT 1 FROM packet_decision AS version JOIN packet USING (packet_id)
                    WHERE version.packet_decision_id = job.message_id
                      AND packet.decision_tracking_id = job.decision_tracking_id OFFSET 0)
"""

CHECKS = [
    Check(
        "payload requests of no decision",
        "The version of the decision was lost in a restore: find it in a backup, and tell the team of the JSON "
        "Generator, which may have received the request.",
        SELECT_PAYLOADS_OF_NO_DECISION,
        JOBS,
    ),
    _check("send_integration", "letter", ASKS_FOR_LETTER),
    _check("send_clinicalops", "clinical_review", "{v}.decision_type = 'APPROVE'"),
]
