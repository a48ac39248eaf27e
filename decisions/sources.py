"""The sources of the ClinicalOps poller. The first two are contents of the same row, each with a flag of its own."""

from decisions.outbox import PAYLOAD_SOURCE
from inbox.registry import ByFlag, Source, register_source

COMMAND = "run_clinical_ops_poller"
TABLE = "service_ops_send_serviceops"

CLINICAL_DECISION = register_source(
    Source(
        name="clinical_decision",
        command=COMMAND,
        reads=ByFlag(
            table=TABLE,
            eligible_sql="s.clinical_ops_decision_json IS NOT NULL",
            flag="is_decision_ingested",
            revision="decision_revision",
            message_type="clinical_decision",
            content="clinical_ops_decision_json",
        ),
    )
)

GENERATED_PAYLOAD = register_source(
    Source(
        name="generated_payload",
        command=COMMAND,
        reads=ByFlag(
            table=TABLE,
            eligible_sql="s.json_sent_to_integration IS NOT NULL",
            flag="is_payload_ingested",
            revision="payload_revision",
            message_type="generated_payload",
        ),
    )
)

# Its jobs are made together with the decision version that begins a round; message_id is its packet_decision_id.
JSON_GENERATOR = register_source(Source(name=PAYLOAD_SOURCE, command=COMMAND))
