"""The sources of the ClinicalOps poller. The first two are contents of the same row, each with a flag of its own."""

from decisions.outbox import PAYLOAD_SOURCE
from inbox.api import ByFlag, Source, register_source

COMMAND = "run_clinical_ops_poller"


def _content(message_type: str, content: str, *, eligible: str, prefix: str) -> Source:
    """The source of one content of the rows; they are eligible once the column `eligible` is set."""
    reads = ByFlag(
        table="service_ops_send_serviceops",
        eligible_sql=f"s.{eligible} IS NOT NULL",
        flag=f"is_{prefix}_ingested",
        revision=f"{prefix}_revision",
        message_type=message_type,
        content=content,
    )
    return register_source(Source(name=message_type, command=COMMAND, reads=reads))


CLINICAL_DECISION = _content(
    "clinical_decision", "clinical_ops_decision_json", eligible="clinical_ops_decision_json", prefix="decision"
)
GENERATED_PAYLOAD = _content("generated_payload", "payload", eligible="json_sent_to_integration", prefix="payload")
# Its jobs are made together with the decision version that begins a round; message_id is its packet_decision_id.
JSON_GENERATOR = register_source(Source(name=PAYLOAD_SOURCE, command=COMMAND))
