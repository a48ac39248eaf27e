"""When each content of a row of ClinicalOps was written: with the row, or by a later UPDATE.

An answer that is written into a row of last week does not say what was so last week.
"""

from django.db import migrations

from inbox.fields import ReadableDateTimeField

KEEP_REVISIONS = """
CREATE OR REPLACE FUNCTION clinical_ops_keep_revisions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.decision_revision := 1;
        NEW.is_decision_ingested := false;
        NEW.decision_written_at := NEW.created_at;
        NEW.payload_revision := 1;
        NEW.is_payload_ingested := false;
        NEW.payload_written_at := NEW.created_at;
        RETURN NEW;
    END IF;
    IF (NEW.clinical_ops_decision_json, NEW.decision_tracking_id)
       IS DISTINCT FROM (OLD.clinical_ops_decision_json, OLD.decision_tracking_id) THEN
        NEW.decision_revision := OLD.decision_revision + OLD.is_decision_ingested::int;
        NEW.is_decision_ingested := false;
        NEW.decision_written_at := now();
        NEW.updated_at := now();
    END IF;
    IF (NEW.json_sent_to_integration, NEW.payload, NEW.decision_tracking_id)
       IS DISTINCT FROM (OLD.json_sent_to_integration, OLD.payload, OLD.decision_tracking_id) THEN
        NEW.payload_revision := OLD.payload_revision + OLD.is_payload_ingested::int;
        NEW.is_payload_ingested := false;
        NEW.payload_written_at := now();
        NEW.updated_at := now();
    END IF;
    RETURN NEW;
END $$;
"""

# As in migration 0002.
WITHOUT_TIMES = """
CREATE OR REPLACE FUNCTION clinical_ops_keep_revisions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.decision_revision := 1;
        NEW.is_decision_ingested := false;
        NEW.payload_revision := 1;
        NEW.is_payload_ingested := false;
        RETURN NEW;
    END IF;
    IF (NEW.clinical_ops_decision_json, NEW.decision_tracking_id)
       IS DISTINCT FROM (OLD.clinical_ops_decision_json, OLD.decision_tracking_id) THEN
        NEW.decision_revision := OLD.decision_revision + OLD.is_decision_ingested::int;
        NEW.is_decision_ingested := false;
        NEW.updated_at := now();
    END IF;
    IF (NEW.json_sent_to_integration, NEW.payload, NEW.decision_tracking_id)
       IS DISTINCT FROM (OLD.json_sent_to_integration, OLD.payload, OLD.decision_tracking_id) THEN
        NEW.payload_revision := OLD.payload_revision + OLD.is_payload_ingested::int;
        NEW.is_payload_ingested := false;
        NEW.updated_at := now();
    END IF;
    RETURN NEW;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("decisions", "0004_decision_messages")]

    operations = [
        migrations.AddField(
            "clinicalopsmessage",
            "decision_written_at",
            ReadableDateTimeField(null=True, help_text="created_at, or the time of a later UPDATE."),
        ),
        migrations.AddField(
            "clinicalopsmessage",
            "payload_written_at",
            ReadableDateTimeField(null=True, help_text="created_at, or the time of a later UPDATE."),
        ),
        migrations.RunSQL(KEEP_REVISIONS, WITHOUT_TIMES),
    ]
