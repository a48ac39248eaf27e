"""How an audit finds the effects of messages about a decision: SQL on a row `job` that counts them."""

# Both witnesses: the message as it counts, and the line of the packet's history that says so.
ANSWERS = """(
    SELECT count(*) FROM packet
      JOIN packet_event AS event USING (packet_id)
      JOIN packet_decision_message AS message USING (packet_id)
     WHERE packet.decision_tracking_id = job.decision_tracking_id
       AND event.job_id = job.inbox_id AND event.what = 'answered'
       AND (message.source, message.message_id, message.revision) = (job.source, job.message_id, job.revision)
)"""
