"""The sources that run_clinical_ops_poller serves."""

from inbox.registry import Source, register_source

POLLER = "run_clinical_ops_poller"

# Its jobs are made together with the decision version that begins a round; message_id is its packet_decision_id.
JSON_GENERATOR = register_source(Source(name="json_generator", command=POLLER))
