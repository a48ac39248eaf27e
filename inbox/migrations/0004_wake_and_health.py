"""What wakes workers, what a job's identity is, and how the hot table is kept healthy.

inbox_notify() is for statement-level triggers on the tables that a source reads; each app makes its own. It sends no
payload, so all notifications of a transaction are one. Switched off by `SET inbox.notify = off`, for a session, a role
or a database: workers then find the rows by polling.
"""

from django.db import migrations

NOTIFY = """
CREATE FUNCTION inbox_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(current_setting('inbox.notify', true), '') <> 'off' THEN
        NOTIFY inbox;
    END IF;
    RETURN NULL;
END $$;
"""

# A job that is DONE must stay the job of its message: as another's it would be worked on again.
GUARD_IDENTITY = """
CREATE FUNCTION inbox_refuse_identity() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'job % is that of % %.%, for good', OLD.inbox_id, OLD.source, OLD.message_id, OLD.revision
        USING ERRCODE = 'check_violation';
END $$;

CREATE TRIGGER inbox_guard_identity BEFORE UPDATE OF inbox_id, source, message_id, revision ON integration_inbox
FOR EACH ROW
WHEN ((OLD.inbox_id, OLD.source, OLD.message_id, OLD.revision)
      IS DISTINCT FROM (NEW.inbox_id, NEW.source, NEW.message_id, NEW.revision))
EXECUTE FUNCTION inbox_refuse_identity();
"""

# Every job is updated twice or more, and each update leaves a dead row and dead index entries that claims must step
# over. The default waits for a fifth of the table to be dead: 200,000 rows of a million.
# Room on each page keeps the new version of a row beside the old one.
HEALTH = """
ALTER TABLE integration_inbox SET (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.02,
    autovacuum_analyze_threshold = 2000,
    autovacuum_vacuum_cost_delay = 0
);
"""
DEFAULT_HEALTH = """
ALTER TABLE integration_inbox RESET (
    fillfactor, autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, autovacuum_vacuum_insert_scale_factor,
    autovacuum_analyze_scale_factor, autovacuum_analyze_threshold, autovacuum_vacuum_cost_delay
);
"""


class Migration(migrations.Migration):
    dependencies = [("inbox", "0003_presence")]

    operations = [
        migrations.RunSQL(NOTIFY, "DROP FUNCTION inbox_notify();"),
        migrations.RunSQL(
            GUARD_IDENTITY,
            "DROP TRIGGER inbox_guard_identity ON integration_inbox; DROP FUNCTION inbox_refuse_identity();",
        ),
        migrations.RunSQL(HEALTH, DEFAULT_HEALTH),
    ]
