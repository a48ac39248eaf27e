"""How an audit finds the effects of messages: SQL on a row `job` that counts them."""

# By the packet, as the history has no index on its jobs.
INTAKES = """(
    SELECT count(*) FROM packet JOIN packet_event AS event USING (packet_id)
     WHERE packet.decision_tracking_id = job.decision_tracking_id
       AND event.job_id = job.inbox_id AND event.what IN ('created', 'intake_replaced')
)"""
