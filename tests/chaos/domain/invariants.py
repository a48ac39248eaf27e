"""The invariants of the domain, as SQL; account.py has those that need the rules."""

from inbox.fields import READABLE_FROM, READABLE_UNTIL

# More than are written between two looks.
LAST_VERSIONS = "(SELECT * FROM packet_decision ORDER BY packet_decision_id DESC LIMIT 3000)"
WRITTEN = "('integration', 'clinical_decision', 'generated_payload')"
SAID = "(said.source, said.message_id) = (job.source, job.message_id)"
UNDATED = f"""
said.kind IN ('utn', 'payload')
AND (said.created_at NOT BETWEEN '{READABLE_FROM}+00' AND '{READABLE_UNTIL}+00'
     OR said.said_at NOT BETWEEN '{READABLE_FROM}+00' AND '{READABLE_UNTIL}+00')
"""
# The attempts of the chaos settings.
MOST_ATTEMPTS = 5

# The last jobs, moves and versions while a run lasts, all of them in the end.
OF_JOBS = {
    "every job of the domain has its message": f"""
        SELECT job.inbox_id, job.source, job.message_id FROM {{jobs}} AS job
         WHERE job.source IN {WRITTEN} AND NOT EXISTS (SELECT 1 FROM chaos_said AS said WHERE {SAID} OFFSET 0)""",
    # Where one that has no readable time does not count, a person has to say whether it should.
    "a good message of the domain is DEAD for a contradiction or its time only": f"""
        SELECT job.inbox_id, job.source, job.message_type, job.errors FROM {{jobs}} AS job
         WHERE job.source IN {WRITTEN} AND job.status = 'DEAD'
           AND (job.error_kind <> 'Contradiction' OR job.source <> 'generated_payload')
           AND NOT EXISTS (SELECT 1 FROM chaos_said AS said
                            WHERE {SAID} AND (said.content IS NULL OR {UNDATED}) OFFSET 0)""",
    "garbage of the domain has no effect": f"""
        SELECT job.inbox_id, job.source, job.message_type FROM {{jobs}} AS job
         WHERE job.source IN {WRITTEN} AND job.status = 'DONE' AND job.note IS NULL
           AND NOT EXISTS (SELECT 1 FROM chaos_said AS said WHERE {SAID} AND said.content IS NOT NULL OFFSET 0)""",
    "a job of the domain leaves DEAD only by a recorded move": """
        SELECT move.inbox_id, move.new_status, move.process FROM {moves} AS move
         WHERE move.old_status = 'DEAD' AND move.new_status <> 'DEAD'
           AND NOT EXISTS (SELECT 1 FROM inbox_audit AS audit
                            WHERE audit.object = 'job:' || move.inbox_id AND audit.before ->> 'status' = 'DEAD'
                           OFFSET 0)""",
    "a request for a payload that is DONE has reached the JSON Generator": """
        SELECT job.inbox_id, job.message_id FROM {jobs} AS job
         WHERE job.source = 'json_generator' AND job.status = 'DONE' AND job.note IS NULL
           AND NOT EXISTS (SELECT 1 FROM chaos_request WHERE key = 'payload-' || job.message_id OFFSET 0)""",
    "a request for a payload is DEAD only if it was refused, or all attempts failed": f"""
        SELECT job.inbox_id, job.error_kind, job.errors FROM {{jobs}} AS job
         WHERE job.source = 'json_generator' AND job.status = 'DEAD' AND job.error_kind <> 'Refused'
           AND jsonb_array_length(job.errors) < {MOST_ATTEMPTS}""",
    # Locks keep everything in order; constraints stand behind them.
    "no job met a constraint": """
        SELECT job.inbox_id, job.source, job.errors FROM {jobs} AS job
         WHERE job.errors @> '[{{"kind": "IntegrityError"}}]'""",
    "a packet with versions has exactly one that is active": """
        SELECT touched.packet_id, version.active
          FROM (SELECT DISTINCT packet_id FROM {versions} AS last OFFSET 0) AS touched
         CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE is_active) AS active FROM packet_decision
                              WHERE packet_id = touched.packet_id OFFSET 0) AS version
         WHERE version.active <> 1""",
    "a version is as it was written": """
        SELECT version.packet_decision_id FROM {versions} AS version
         WHERE 1 <> (SELECT count(*) FROM chaos_version
                      WHERE version_id = version.packet_decision_id
                        AND digest = md5((to_jsonb(version) - 'is_active')::text) OFFSET 0)""",
    "a request of a person makes one version": """
        SELECT version.packet_decision_id, version.correlation_id FROM {versions} AS version
         WHERE (SELECT count(*) FROM packet_decision AS other
                 WHERE (other.packet_id, other.correlation_id) = (version.packet_id, version.correlation_id)
                OFFSET 0) <> 1""",
    "a version of a person has its click": """
        SELECT version.packet_decision_id FROM {versions} AS version
         WHERE version.created_by = 'chaos staff'
           AND NOT EXISTS (SELECT 1 FROM chaos_click AS click
                            WHERE click.version_id = version.packet_decision_id OFFSET 0)""",
}

AT_THE_END = {
    "every committed message of Integration has its job": """
        SELECT said.message_id, said.kind, said.created_at::text FROM chaos_said AS said
         WHERE said.source = 'integration' AND NOT said.is_deleted
           AND NOT EXISTS (SELECT 1 FROM integration_inbox AS job
                            WHERE job.source = 'integration' AND job.message_id = said.message_id)""",
    "every committed answer has its job": """
        SELECT row.message_id, row.decision_revision, row.is_decision_ingested FROM service_ops_send_serviceops AS row
         WHERE NOT row.is_deleted AND row.clinical_ops_decision_json IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM integration_inbox AS job
                            WHERE job.source = 'clinical_decision' AND job.message_id = row.message_id
                              AND job.revision = row.decision_revision AND row.is_decision_ingested)""",
    "every committed payload has its job": """
        SELECT row.message_id, row.payload_revision, row.is_payload_ingested FROM service_ops_send_serviceops AS row
         WHERE NOT row.is_deleted AND row.json_sent_to_integration IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM integration_inbox AS job
                            WHERE job.source = 'generated_payload' AND job.message_id = row.message_id
                              AND job.revision = row.payload_revision AND row.is_payload_ingested)""",
}

ACCOUNT = {
    "every committed row is in its table": """
        SELECT said.source, said.message_id FROM chaos_said AS said
          LEFT JOIN integration_send_serviceops AS sent
            ON said.source = 'integration' AND sent.message_id = said.message_id
          LEFT JOIN service_ops_send_serviceops AS told
            ON said.source <> 'integration' AND told.message_id = said.message_id
         WHERE sent.message_id IS NULL AND told.message_id IS NULL""",
    "no version is gone": """
        SELECT version_id FROM chaos_version
         WHERE NOT EXISTS (SELECT 1 FROM packet_decision WHERE packet_decision_id = version_id)""",
    "two clicks of one request get one version, which is there": """
        SELECT correlation_id, count(DISTINCT version_id) FROM chaos_click
         GROUP BY correlation_id
        HAVING count(DISTINCT version_id) > 1
            OR bool_or(NOT EXISTS (SELECT 1 FROM packet_decision WHERE packet_decision_id = version_id))""",
    "each request of an outbox is there once": """
        SELECT dedupe_key, count(*) FROM (SELECT dedupe_key FROM send_integration
                                           UNION ALL SELECT dedupe_key FROM send_clinicalops) AS request
         GROUP BY dedupe_key HAVING count(*) > 1""",
    "nobody applies a message that nobody sent": """
        SELECT message.packet_id, message.kind, message.source, message.message_id
          FROM packet_decision_message AS message
         WHERE CASE message.source WHEN 'staff' THEN
                    NOT EXISTS (SELECT 1 FROM chaos_click AS click
                                 WHERE click.packet_id = message.packet_id
                                   AND click.answer = message.content ->> 'answer')
               ELSE NOT EXISTS (SELECT 1 FROM chaos_said AS said
                                 WHERE (said.source, said.message_id) = (message.source, message.message_id)
                                   AND said.kind = message.kind) END""",
}

# The name of each of these, and of the differences that account.py finds, in the table of a campaign.
HARM = {
    "lost": (
        "every committed message of Integration has its job",
        "every committed answer has its job",
        "every committed payload has its job",
        "every committed row is in its table",
        "no version is gone",
        "account: a message does not count",
        "account: there is no packet",
        "account: there is no decision",
    ),
    "twice": (
        "a packet with versions has exactly one that is active",
        "a request of a person makes one version",
        "each request of an outbox is there once",
        "two clicks of one request get one version, which is there",
        "account: a message counts twice",
    ),
    "reopened": ("a job of the domain leaves DEAD only by a recorded move",),
}
