"""The invariants, as SQL. Each query names the jobs or messages that break one, and must return none.

Those of jobs and moves look at what moved last while a run lasts, as the tables grow, and at everything in the end.
"""

import psycopg

from tests.chaos.domain import invariants as domain

# More than move between two looks.
LAST_MOVES = "(SELECT * FROM chaos_move ORDER BY move_id DESC LIMIT 10000)"
# OFFSET 0: the jobs are looked up by their key.
LAST_JOBS = f"""(
    SELECT job.* FROM (SELECT DISTINCT inbox_id FROM {LAST_MOVES} AS last OFFSET 0) AS moved
      JOIN integration_inbox AS job USING (inbox_id))"""

# Each is one statement, so one snapshot: true at any moment of the run.
OF_JOBS = {
    "DONE and exactly one effect go together": """
        SELECT job.inbox_id, job.status, job.message_type, effect.count FROM {jobs} AS job
         CROSS JOIN LATERAL (SELECT count(*) FROM chaos_effect WHERE inbox_id = job.inbox_id OFFSET 0) AS effect
         WHERE job.source = 'chaos' AND effect.count <> (job.status = 'DONE')::int""",
    "nothing leaves DONE, and a witness never leaves DEAD": """
        SELECT move.inbox_id, move.old_status, move.new_status, move.process
          FROM {moves} AS move LEFT JOIN integration_inbox AS job USING (inbox_id)
         WHERE move.new_status <> move.old_status
           AND (move.old_status = 'DONE' OR move.old_status = 'DEAD' AND job.source = 'chaos')""",
    "good messages are never DEAD": """
        SELECT inbox_id, message_type, errors FROM {jobs} AS job
         WHERE source = 'chaos' AND status = 'DEAD' AND message_type NOT IN ('poison', 'killer')""",
    "poison is never DONE": """
        SELECT inbox_id FROM {jobs} AS job
         WHERE source = 'chaos' AND status = 'DONE' AND message_type IN ('poison', 'killer')""",
    "only the process that made the claim finishes it": """
        SELECT finish.inbox_id, claim.process AS claimed_by, finish.process AS finished_by
          FROM {moves} AS finish
          JOIN chaos_move AS claim ON claim.inbox_id = finish.inbox_id AND claim.lease_id = finish.lease_id
                                  AND claim.new_status = 'PROCESSING'
         WHERE finish.old_status = 'PROCESSING' AND finish.new_status IN ('DONE', 'WAITING')
           AND finish.process <> claim.process""",
    "every job has its message": """
        SELECT inbox_id FROM {jobs} AS job
         WHERE source = 'chaos'
           AND NOT EXISTS (SELECT 1 FROM chaos_message AS m WHERE m.message_id = job.message_id OFFSET 0)""",
    "no deadlock reaches a job's errors": """
        SELECT inbox_id, errors FROM {jobs} AS job WHERE errors::text ILIKE '%deadlock%'""",
    # An operator gives a job new attempts, and takes back one.
    "attempts are spent on recorded errors only": """
        SELECT inbox_id, status, attempt_count, errors FROM {jobs} AS job
         WHERE attempt_count <> jsonb_array_length(errors) + (status IN ('PROCESSING', 'DONE'))::int
           AND NOT EXISTS (SELECT 1 FROM inbox_audit WHERE object = 'job:' || job.inbox_id OFFSET 0)""",
}


def _queries(templates: dict[str, str], *, jobs: str, moves: str, versions: str) -> dict[str, str]:
    return {name: sql.format(jobs=jobs, moves=moves, versions=versions) for name, sql in templates.items()}


ALWAYS = _queries(OF_JOBS | domain.OF_JOBS, jobs=LAST_JOBS, moves=LAST_MOVES, versions=domain.LAST_VERSIONS) | {
    "the reconcile finds only what no lookback reaches": """
        SELECT reconcile_finds, (SELECT count(*) FROM chaos_message WHERE is_beyond_lookback) AS beyond
          FROM poll_watermark
         WHERE source = 'chaos'
           AND reconcile_finds > (SELECT count(*) FROM chaos_message WHERE is_beyond_lookback)
           AND NOT EXISTS (SELECT 1 FROM chaos_shift)""",
    "nobody waits for a job that somebody else works on": """
        SELECT application_name, now() - query_start AS waits, left(query, 200) FROM pg_stat_activity
         WHERE wait_event_type = 'Lock' AND wait_event IN ('transactionid', 'tuple')
           AND query LIKE '%integration_inbox%' AND query NOT LIKE '%poll_watermark%'
           AND query_start < clock_timestamp() - interval '1.5 seconds'
           AND NOT EXISTS (SELECT 1 FROM chaos_shift)""",
}

# Asked again and again until they hold, when everybody is left alone.
AT_THE_END = {
    "every committed message has its job": """
        SELECT message_id, created_at::text, payload FROM chaos_message AS m
         WHERE NOT EXISTS (SELECT 1 FROM integration_inbox AS job
                            WHERE job.source = 'chaos' AND job.message_id = m.message_id)""",
    "every job has ended": """
        SELECT inbox_id, status, message_type, note, next_attempt_at::text, locked_by FROM integration_inbox
         WHERE status NOT IN ('DONE', 'DEAD')""",
} | domain.AT_THE_END

# Asked once, when everything has ended.
ACCOUNT = (
    _queries(
        OF_JOBS | domain.OF_JOBS, jobs="integration_inbox", moves="chaos_move", versions="packet_decision"
    )
    | domain.ACCOUNT
)  # fmt: skip


def broken(connection: psycopg.Connection, queries: dict[str, str]) -> dict[str, list[tuple]]:
    """The invariants that do not hold, each with the first few rows that show it."""
    found = {}
    for name, query in queries.items():
        if rows := connection.execute(query).fetchmany(5):
            found[name] = rows
    return found
