"""The upper bound: an esMD intake in hand-written SQL, with the same batches and commits as the engine."""

import os
from collections.abc import Callable
from uuid import uuid4

import psycopg

from inbox.engine.ingest import INGEST_LIMIT

BATCH = 200

INGEST = """
WITH fresh AS (
    SELECT message_id, created_at, decision_tracking_id, channel_type_id
      FROM integration_send_serviceops AS s
     WHERE (created_at, message_id)
           > (SELECT last_created_at, last_message_id FROM poll_watermark WHERE source = 'integration')
     ORDER BY created_at, message_id LIMIT %s
), born AS (
    INSERT INTO integration_inbox (source, message_id, message_type, decision_tracking_id, channel_type_id,
                                   source_created_at, next_attempt_at)
    SELECT 'integration', message_id, 'intake', decision_tracking_id, channel_type_id, created_at, created_at FROM fresh
        ON CONFLICT DO NOTHING RETURNING 1
), moved AS (
    UPDATE poll_watermark AS mark SET last_created_at = last.created_at, last_message_id = last.message_id
      FROM (SELECT created_at, message_id FROM fresh ORDER BY 1 DESC, 2 DESC LIMIT 1) AS last
     WHERE mark.source = 'integration'
)
SELECT count(*) FROM born
"""

CLAIM = """
WITH picked AS MATERIALIZED (
    SELECT inbox_id FROM integration_inbox
     WHERE source = 'integration' AND status IN ('NEW', 'FAILED', 'WAITING') AND next_attempt_at <= now()
     ORDER BY next_attempt_at, inbox_id LIMIT %(batch)s FOR UPDATE SKIP LOCKED
)
UPDATE integration_inbox AS job
   SET status = 'PROCESSING', locked_by = %(worker)s, locked_at = now(), lease_id = %(lease)s,
       attempt_count = attempt_count + 1, started_at = now(), updated_at = now()
  WHERE job.inbox_id = ANY(ARRAY(SELECT inbox_id FROM picked))
RETURNING job.inbox_id
"""

# The same check of the lease, then packets, documents, events and DONE in one statement.
WORK = """
WITH held AS MATERIALIZED (
    SELECT inbox_id, message_id, decision_tracking_id, source_created_at FROM integration_inbox
     WHERE inbox_id = ANY(%(claimed)s) AND lease_id = %(lease)s AND status = 'PROCESSING' ORDER BY inbox_id FOR UPDATE
), came AS MATERIALIZED (
    SELECT held.*, s.payload,
           (s.payload -> 'submission_metadata' ->> 'creationTime')::timestamptz AS received
      FROM held JOIN integration_send_serviceops AS s USING (message_id)
), born AS (
    INSERT INTO packet (decision_tracking_id, channel_type_id, case_id, submission_type, received_date, due_date,
                        has_documents, intake_created_at, intake_message_id)
    SELECT decision_tracking_id, 3, payload -> 'submission_metadata' ->> 'esmd_transaction_id', 'Standard', received,
           date_trunc('day', received, 'UTC') + interval '72 hours', true, source_created_at, message_id
      FROM came ORDER BY decision_tracking_id
        ON CONFLICT DO NOTHING RETURNING packet_id, decision_tracking_id, detailed_status
), document AS (
    INSERT INTO packet_document (packet_id, document_unique_identifier, file_name, mime_type, file_size, blob_path)
    SELECT packet_id, d ->> 'documentUniqueIdentifier', d ->> 'fileName', d ->> 'mimeType', (d ->> 'fileSize')::bigint,
           d ->> 'blobPath'
      FROM born JOIN came USING (decision_tracking_id)
     CROSS JOIN LATERAL jsonb_array_elements(payload -> 'documents') AS d
), event AS (
    INSERT INTO packet_event (packet_id, what, job_id, to_status)
    SELECT packet_id, 'created', inbox_id, detailed_status FROM born JOIN came USING (decision_tracking_id)
)
UPDATE integration_inbox AS job
   SET status = 'DONE', locked_by = NULL, locked_at = NULL, finished_at = now(), finished_by = %(worker)s,
       updated_at = now()
  WHERE job.inbox_id = ANY(ARRAY(SELECT inbox_id FROM held))
"""


def prepare(url: str) -> Callable[[], None]:
    """Connect, and return a function that drains."""
    connection = psycopg.connect(url)
    # A plan made on an empty table would be kept, so statements are planned each time, as in the engine.
    connection.prepare_threshold = None

    def drain() -> None:
        worker = str(os.getpid())
        connection.execute(
            "INSERT INTO poll_watermark (source, last_created_at, last_message_id) VALUES ('integration', 'epoch', 0) "
            "ON CONFLICT DO NOTHING"
        )
        connection.commit()
        while True:
            connection.execute("SELECT 1 FROM poll_watermark WHERE source = 'integration' FOR UPDATE")
            row = connection.execute(INGEST, [INGEST_LIMIT]).fetchone()
            connection.commit()
            is_empty = row == (0,)
            while True:
                values = {"batch": BATCH, "worker": worker, "lease": uuid4()}
                claimed = [inbox_id for (inbox_id,) in connection.execute(CLAIM, values)]
                connection.commit()
                if not claimed:
                    break
                is_empty = False
                connection.execute(WORK, values | {"claimed": claimed})
                connection.commit()
            if is_empty:
                return

    return drain
