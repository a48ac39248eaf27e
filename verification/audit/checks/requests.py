"""Each version of a decision asks other programs for these, exactly once per round: a review, a payload, a letter."""

from decisions.outbox import PAYLOAD_SOURCE
from verification.audit.check import VERSIONS, Check
from verification.audit.checks.pruned import pruned_until

IN_RANGE = (
    "version.packet_decision_id > %(low)s AND version.packet_decision_id <= %(high)s"
    " AND version.created_at >= %(since)s::timestamptz"
)
# The conditions under which decisions/outbox.py requests something, of a version `{v}`.
ASKS_FOR_REVIEW = (
    "{v}.decision_type = 'APPROVE' AND {v}.operational_decision = 'PENDING' AND {v}.clinical_decision = 'PENDING'"
)
ASKS_FOR_PAYLOAD = "{v}.clinical_decision <> 'PENDING'"
ASKS_FOR_LETTER = "{v}.utn_status = 'SUCCESS' AND {v}.clinical_decision <> 'PENDING'"


def _is_first(asks: str) -> str:
    """The version is the first of its round that asks for it."""
    return f"""NOT EXISTS (
           SELECT 1 FROM packet_decision AS earlier
            WHERE earlier.packet_id = version.packet_id AND earlier.decision_round = version.decision_round
              AND earlier.packet_decision_id < version.packet_decision_id AND {asks.format(v="earlier")} OFFSET 0)"""


def _once_per_round(asks: str, table: str, key: str) -> str:
    return f"""
SELECT version.packet_decision_id,
       'packet ' || version.packet_id || ', round ' || version.decision_round || ': ' || found.times
  FROM packet_decision AS version
 CROSS JOIN LATERAL (
    SELECT count(*) AS times FROM {table} AS request
     WHERE request.dedupe_key = '{key}:' || version.packet_id || ':' || version.decision_round OFFSET 0
 ) AS found
 WHERE {IN_RANGE} AND {asks.format(v="version")} AND {_is_first(asks)} AND found.times <> 1
"""


SELECT_PAYLOAD_REQUESTS = f"""
SELECT version.packet_decision_id,
       'packet ' || version.packet_id || ', round ' || version.decision_round || ', version '
       || version.packet_decision_id || ': ' || found.times
  FROM packet_decision AS version
 CROSS JOIN LATERAL (SELECT {_is_first(ASKS_FOR_PAYLOAD)} AS is_first OFFSET 0) AS round
 CROSS JOIN LATERAL (
    SELECT count(*) AS times FROM integration_inbox AS job
     WHERE job.source = '{PAYLOAD_SOURCE}' AND job.message_id = version.packet_decision_id OFFSET 0
 ) AS found
 WHERE {IN_RANGE} AND {ASKS_FOR_PAYLOAD.format(v="version")}
   AND found.times <> round.is_first::int
   AND (found.times > 0 OR version.created_at >= %(pruned_until)s::timestamptz)
"""

HOW_TO = "docs/howto/restore-after-failover.md shows how."

CHECKS = [
    Check(
        "payload requests twice or missing",
        f"Missing: make the job of that version; {HOW_TO} Twice: tell the team of the JSON Generator, which has "
        "received two Idempotency-Keys for one round.",
        SELECT_PAYLOAD_REQUESTS,
        VERSIONS,
        asks=pruned_until,
    ),
    Check(
        "letters twice or missing",
        f"Missing: ask Integration whether the letter was sent, and request it if not; {HOW_TO} Twice: tell "
        "Integration which of the two to drop.",
        _once_per_round(ASKS_FOR_LETTER, "send_integration", "letter"),
        VERSIONS,
    ),
    Check(
        "clinical reviews twice or missing",
        f"Missing: ask ClinicalOps whether they have the case, and request the review if not; {HOW_TO} Twice: tell "
        "ClinicalOps which of the two to drop.",
        _once_per_round(ASKS_FOR_REVIEW, "send_clinicalops", "clinical_review"),
        VERSIONS,
    ),
]
