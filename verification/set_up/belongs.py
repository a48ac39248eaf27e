"""Which row each object of the migrations belongs to, beside the objects that rows name themselves.

A test says which object is in neither list, so that a new one is thought about.
"""

from collections.abc import Sequence

# By the key of the row: what else its promise stands on.
STANDS_ON = {
    "claiming": ("index inbox_due", "constraint inbox_locked_exactly_when_processing"),
    "insert": (
        "constraint inbox_one_job_per_message",
        "trigger inbox_guard_identity on integration_inbox",
        "function inbox_refuse_identity",
        "constraint integration_send_serviceops_pkey",
        "table integration_send_serviceops",
    ),
    "packets": (
        "constraint packet_decision_tracking_id_key",
        "constraint packet_external_id_once",
        "constraint packet_pkey",
        "constraint packet_document_once",
        "constraint packet_document_packet_id_d3d77b2a_fk_packet_packet_id",
        "constraint packet_event_packet_id_8bd3eb36_fk_packet_packet_id",
        "trigger packet_event_append_only on packet_event",
        "function inbox_refuse_change",
        "function next_packet_external_id",
        "sequence packet_external_number",
        "table packet",
        "table packet_document",
        "table packet_event",
    ),
    "decisions": (
        "index decision_one_active_per_packet",
        "constraint decision_once_per_request",
        "constraint decision_message_once",
        "constraint packet_decision_pkey",
        "constraint packet_decision_supersedes_id_key",
        "constraint packet_decision_supersedes_id_5dd02a7d_fk_packet_de",
        "constraint packet_decision_packet_id_0c581b92_fk_packet_packet_id",
        "constraint packet_decision_message_packet_id_57797208_fk_packet_packet_id",
        "trigger decision_append_only on packet_decision",
        "trigger decision_message_append_only on packet_decision_message",
        "function decision_refuse_change",
        "function inbox_refuse_change",
        "constraint send_integration_once",
        "constraint send_clinicalops_once",
        "table packet_decision",
        "table packet_decision_message",
        "table send_integration",
        "table send_clinicalops",
    ),
    "reclaimer": ("index inbox_claimed",),
    "status": (
        "trigger inbox_guard_moves on integration_inbox",
        "function inbox_refuse_move",
        "constraint inbox_status_known",
        "constraint inbox_attempts_not_negative",
        "constraint integration_inbox_pkey",
        "table integration_inbox",
    ),
    "clinical-ops": (
        "trigger clinical_ops_revisions on service_ops_send_serviceops",
        "function clinical_ops_keep_revisions",
        "index clinical_ops_decision_new",
        "index clinical_ops_payload_new",
        "constraint service_ops_send_serviceops_pkey",
        "table service_ops_send_serviceops",
    ),
    "watermark": (
        "constraint poll_watermark_pkey",
        "constraint poll_watermark_is_a_pair",
        "index integration_send_order",
        "table poll_watermark",
    ),
    "owner": ("constraint inbox_locked_exactly_when_processing",),
    "once": ("constraint inbox_one_job_per_message", "constraint decision_message_once"),
    "presence": (
        "constraint inbox_worker_pkey",
        "constraint inbox_worker_instance_id_key",
        "constraint inbox_worker_state_known",
        "index inbox_worker_running",
        "table inbox_worker",
    ),
    "wake": ("index inbox_tracking",),
    "pause": ("constraint inbox_pause_pkey", "table inbox_pause"),
    "operators": (
        "trigger inbox_guard_moves on integration_inbox",
        "trigger inbox_audit_append_only on inbox_audit",
        "trigger inbox_correction_stays on inbox_correction",
        "function inbox_refuse_change",
        "constraint inbox_correction_of_job",
        "index inbox_audit_object",
        "index inbox_correction_job_id_8d2afcd9",
        "table inbox_audit",
        "table inbox_correction",
    ),
}

VALUES = "keeps out values that nobody writes"
A_KEY = "numbers rows that nothing refers to"
SPEED = "makes a page faster"
A_HINT = "wakes workers, which find the rows by polling without it"

# Objects that no lock stands on, and what they are for. If one is not in order, the head of the report says so.
BELONGS_TO_NO_LOCK = {
    "constraint decision_clinical_decision_known": VALUES,
    "constraint decision_decision_outcome_known": VALUES,
    "constraint decision_decision_subtype_known": VALUES,
    "constraint decision_decision_type_known": VALUES,
    "constraint decision_denial_reason_known": VALUES,
    "constraint decision_esmd_request_status_known": VALUES,
    "constraint decision_message_kind_known": VALUES,
    "constraint decision_operational_decision_known": VALUES,
    "constraint decision_part_type_known": VALUES,
    "constraint decision_utn_status_known": VALUES,
    "constraint packet_channel_known": VALUES,
    "constraint packet_detailed_status_known": VALUES,
    "constraint packet_document_size": VALUES,
    "constraint packet_submission_type_known": VALUES,
    "constraint packet_validation_status_known": VALUES,
    "constraint send_clinicalops_status_known": VALUES,
    "constraint send_integration_status_known": VALUES,
    "constraint inbox_audit_pkey": A_KEY,
    "constraint inbox_correction_pkey": A_KEY,
    "constraint packet_decision_message_pkey": A_KEY,
    "constraint packet_document_pkey": A_KEY,
    "constraint packet_event_pkey": A_KEY,
    "constraint send_clinicalops_pkey": A_KEY,
    "constraint send_integration_pkey": A_KEY,
    "constraint inbox_tally_pkey": "keeps counts for the admin",
    "table inbox_tally": "keeps counts for the admin",
    "index inbox_error_kind": SPEED,
    "index inbox_troubled": SPEED,
    "index packet_event_packet_id_8bd3eb36": SPEED,
    "index inbox_pause_source_9764e872_like": SPEED,
    "index poll_watermark_source_b6009e41_like": SPEED,
    "function inbox_notify": A_HINT,
    "trigger integration_wakes_workers on integration_send_serviceops": A_HINT,
    "trigger clinical_ops_wakes_workers on service_ops_send_serviceops": A_HINT,
}


def objects_of(key: str, named: Sequence[str]) -> list[str]:
    """All objects that a row stands on: those that it names, then the others, each once."""
    short = {name.partition(" on ")[0] for name in named}
    others = [name for name in STANDS_ON.get(key, ()) if name not in named and name.partition(" on ")[0] not in short]
    return [*named, *others]
