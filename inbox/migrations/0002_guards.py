"""Triggers of the inbox: which moves of a job's status are allowed, and append-only tables.

The list of moves equals inbox.statuses.ALLOWED_MOVES (a test compares them). It stands in the trigger's WHEN, so that
an allowed move calls no function.
"""

from django.db import migrations

ALLOWED = """
    ('NEW', 'PROCESSING'), ('FAILED', 'PROCESSING'), ('WAITING', 'PROCESSING'),
    ('PROCESSING', 'DONE'), ('PROCESSING', 'FAILED'), ('PROCESSING', 'WAITING'), ('PROCESSING', 'DEAD'),
    ('PROCESSING', 'NEW'),
    ('FAILED', 'NEW'), ('WAITING', 'NEW'),
    ('NEW', 'DEAD'), ('FAILED', 'DEAD'), ('WAITING', 'DEAD')
"""

GUARD_MOVES = f"""
CREATE FUNCTION inbox_refuse_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status = 'DEAD' AND NEW.status = 'NEW'
       AND coalesce(current_setting('inbox.recorded_move', true), '') <> '' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'job % may not move from % to %', OLD.inbox_id, OLD.status, NEW.status
        USING ERRCODE = 'check_violation',
              HINT = 'inbox/statuses.py lists the allowed moves; a DEAD job comes back by a recorded requeue only.';
END $$;

CREATE TRIGGER inbox_guard_moves BEFORE UPDATE OF status ON integration_inbox FOR EACH ROW
WHEN (OLD.status <> NEW.status AND (OLD.status, NEW.status) NOT IN ({ALLOWED}))
EXECUTE FUNCTION inbox_refuse_move();
"""

APPEND_ONLY = """
CREATE FUNCTION inbox_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'check_violation';
END $$;

CREATE TRIGGER inbox_audit_append_only BEFORE UPDATE OR DELETE ON inbox_audit FOR EACH ROW
EXECUTE FUNCTION inbox_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("inbox", "0001_initial")]

    operations = [
        migrations.RunSQL(
            GUARD_MOVES,
            "DROP TRIGGER inbox_guard_moves ON integration_inbox; DROP FUNCTION inbox_refuse_move();",
        ),
        migrations.RunSQL(
            APPEND_ONLY,
            "DROP TRIGGER inbox_audit_append_only ON inbox_audit; DROP FUNCTION inbox_refuse_change();",
        ),
    ]
