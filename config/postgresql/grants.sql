-- Least privilege: who may do what with which table. Any number of times, as the owner of the tables or a superuser,
-- and again after every migration that makes a table. `manage.py sql_grants | psql …` runs it.
--
-- The roles can't log in. Make a login for each program, such as
--     CREATE ROLE intake_gateway LOGIN PASSWORD '…' IN ROLE serviceops_integration;
-- Identity columns need no right on their sequence; the audit reads where they stand. The triggers need none either: they
-- run as whoever writes, change only the row in hand, and notify, which everyone may.
--
-- In one transaction: whoever works meanwhile never has fewer rights than before or after.
BEGIN;

DO $$
DECLARE wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['serviceops_integration', 'serviceops_clinicalops', 'serviceops_worker',
                                  'serviceops_web'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        END IF;
    END LOOP;
END $$;

-- What an earlier version gave, column by column too.
REVOKE ALL ON ALL TABLES IN SCHEMA public
    FROM PUBLIC, serviceops_integration, serviceops_clinicalops, serviceops_worker, serviceops_web;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public
    FROM PUBLIC, serviceops_integration, serviceops_clinicalops, serviceops_worker, serviceops_web;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
DO $$
BEGIN
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
END $$;
GRANT USAGE ON SCHEMA public TO serviceops_integration, serviceops_clinicalops, serviceops_worker, serviceops_web;

-- Integration: its own table; of its outbox, what a reader reports back.
GRANT SELECT, INSERT, UPDATE, DELETE ON integration_send_serviceops TO serviceops_integration;
GRANT SELECT, UPDATE (message_status_id, attempt_count, is_deleted) ON send_integration TO serviceops_integration;

-- ClinicalOps and the JSON Generator: the same, without the columns that the trigger keeps for us.
GRANT SELECT, DELETE,
      INSERT (message_id, decision_tracking_id, payload, clinical_ops_decision_json, json_sent_to_integration,
              created_at, updated_at, is_deleted),
      UPDATE (decision_tracking_id, payload, clinical_ops_decision_json, json_sent_to_integration,
              created_at, updated_at, is_deleted)
   ON service_ops_send_serviceops TO serviceops_clinicalops;
GRANT SELECT, UPDATE (message_status_id, attempt_count, is_deleted, is_picked, error_reason)
   ON send_clinicalops TO serviceops_clinicalops;

-- Workers, the poller, the reclaimer, and the commands of operators.
GRANT SELECT ON integration_send_serviceops TO serviceops_worker, serviceops_web;
GRANT SELECT, UPDATE (is_decision_ingested, is_payload_ingested, decision_revision, payload_revision,
                      clinical_decision_applied_at)
   ON service_ops_send_serviceops TO serviceops_worker;
GRANT SELECT ON service_ops_send_serviceops TO serviceops_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON integration_inbox, inbox_pause, inbox_tally TO serviceops_worker;
-- Corrections go with their job when that is pruned.
GRANT SELECT, DELETE ON inbox_correction TO serviceops_worker;
GRANT SELECT, INSERT, UPDATE ON poll_watermark, inbox_worker TO serviceops_worker;
-- Append-only tables have no UPDATE to give away.
GRANT SELECT, INSERT ON inbox_audit, packet_event, packet_decision_message, send_integration, send_clinicalops
   TO serviceops_worker, serviceops_web;
GRANT SELECT, INSERT, UPDATE ON packet, packet_decision TO serviceops_worker, serviceops_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON packet_document TO serviceops_worker;
GRANT USAGE ON SEQUENCE packet_external_number TO serviceops_worker, serviceops_web;
-- For `verify_locks` and its audit: no identity is behind its table.
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO serviceops_worker;

-- The web: staff decide and requeue, and see the rest.
GRANT SELECT, INSERT, UPDATE ON integration_inbox TO serviceops_web;
GRANT SELECT ON poll_watermark, inbox_worker, inbox_pause, inbox_tally, packet_document TO serviceops_web;
GRANT SELECT, INSERT ON inbox_correction TO serviceops_web;
GRANT SELECT, INSERT, UPDATE, DELETE
   ON auth_user, auth_group, auth_user_groups, auth_user_user_permissions, auth_group_permissions, django_session,
      django_admin_log, axes_accessattempt, axes_accessattemptexpiration, axes_accessfailurelog, axes_accesslog
   TO serviceops_web;
GRANT SELECT ON auth_permission, django_content_type, django_migrations TO serviceops_web;

-- Only a superuser can give these: to see the sessions of all roles, and on PostgreSQL 16 and newer, to use the
-- connections of reserved_connections, which are kept for the web.
DO $$
BEGIN
    EXECUTE 'GRANT pg_read_all_stats TO serviceops_worker, serviceops_web';
    IF current_setting('server_version_num')::int >= 160000 THEN
        EXECUTE 'GRANT pg_use_reserved_connections TO serviceops_web';
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'pg_read_all_stats and pg_use_reserved_connections were not granted: that takes a superuser';
END $$;

COMMIT;
