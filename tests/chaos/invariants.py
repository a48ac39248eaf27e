"""The invariants, as SQL. Each query names the jobs or messages that break one, and must return none."""

import psycopg

# Each is one statement, so one snapshot: true at any moment of the run.
ALWAYS = {
    "DONE and exactly one effect go together": """
        SELECT job.inbox_id, job.status, job.message_type, count(effect.inbox_id) AS effects
          FROM integration_inbox AS job LEFT JOIN chaos_effect AS effect USING (inbox_id)
         GROUP BY job.inbox_id
        HAVING count(effect.inbox_id) <> (job.status = 'DONE')::int""",
    "nothing leaves DONE, and DEAD only by a recorded move (there is none here)": """
        SELECT inbox_id, old_status, new_status, process FROM chaos_move
         WHERE old_status IN ('DONE', 'DEAD') AND new_status <> old_status""",
    "good messages are never DEAD": """
        SELECT inbox_id, message_type, errors FROM integration_inbox
         WHERE status = 'DEAD' AND message_type NOT IN ('poison', 'killer')""",
    "poison is never DONE": """
        SELECT inbox_id FROM integration_inbox WHERE status = 'DONE' AND message_type IN ('poison', 'killer')""",
    "only the process that made the claim finishes it": """
        SELECT finish.inbox_id, claim.process AS claimed_by, finish.process AS finished_by
          FROM chaos_move AS finish
          JOIN chaos_move AS claim ON claim.inbox_id = finish.inbox_id AND claim.lease_id = finish.lease_id
                                  AND claim.new_status = 'PROCESSING'
         WHERE finish.old_status = 'PROCESSING' AND finish.new_status IN ('DONE', 'WAITING')
           AND finish.process <> claim.process""",
    "every job has its message": """
        SELECT inbox_id FROM integration_inbox AS job
         WHERE source = 'chaos'
           AND NOT EXISTS (SELECT 1 FROM chaos_message AS m WHERE m.message_id = job.message_id)""",
    "no deadlock reaches a job's errors": """
        SELECT inbox_id, errors FROM integration_inbox WHERE errors::text ILIKE '%deadlock%'""",
    "attempts are spent on recorded errors only": """
        SELECT inbox_id, status, attempt_count, errors FROM integration_inbox
         WHERE attempt_count <> jsonb_array_length(errors) + (status IN ('PROCESSING', 'DONE'))::int""",
    "the reconcile finds only what no lookback reaches": """
        SELECT reconcile_finds, (SELECT count(*) FROM chaos_message WHERE is_beyond_lookback) AS beyond
          FROM poll_watermark
         WHERE source = 'chaos'
           AND reconcile_finds > (SELECT count(*) FROM chaos_message WHERE is_beyond_lookback)""",
    "nobody waits for a job that somebody else works on": """
        SELECT application_name, now() - query_start AS waits, left(query, 200) FROM pg_stat_activity
         WHERE wait_event_type = 'Lock' AND wait_event IN ('transactionid', 'tuple')
           AND query LIKE '%integration_inbox%' AND query NOT LIKE '%poll_watermark%'
           AND query_start < clock_timestamp() - interval '1.5 seconds'""",
}

AT_THE_END = {
    "every committed message has its job": """
        SELECT message_id, created_at::text, payload FROM chaos_message AS m
         WHERE NOT EXISTS (SELECT 1 FROM integration_inbox AS job
                            WHERE job.source = 'chaos' AND job.message_id = m.message_id)""",
    "every job has ended": """
        SELECT inbox_id, status, message_type, note, next_attempt_at::text, locked_by FROM integration_inbox
         WHERE status NOT IN ('DONE', 'DEAD')""",
}


def broken(connection: psycopg.Connection, queries: dict[str, str]) -> dict[str, list[tuple]]:
    """The invariants that do not hold, each with the first few rows that show it."""
    found = {}
    for name, query in queries.items():
        if rows := connection.execute(query).fetchmany(5):
            found[name] = rows
    return found
