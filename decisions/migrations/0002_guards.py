"""Triggers of decisions: versions are append-only, and rows of ClinicalOps carry revisions and flags of ours."""

from django.db import migrations

VERSIONS_APPEND_ONLY = """
CREATE FUNCTION decision_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND to_jsonb(OLD) - 'is_active' = to_jsonb(NEW) - 'is_active' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'packet_decision is append-only: only is_active may change, % is refused', TG_OP
        USING ERRCODE = 'check_violation';
END $$;

CREATE TRIGGER decision_append_only BEFORE UPDATE OR DELETE ON packet_decision FOR EACH ROW
EXECUTE FUNCTION decision_refuse_change();
"""

# The flag is ours to raise: an UPDATE of ours that raises it changes no content, so the trigger lets it be.
CLINICAL_OPS_REVISIONS = """
CREATE FUNCTION clinical_ops_keep_revisions() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE TRIGGER clinical_ops_revisions BEFORE INSERT OR UPDATE ON service_ops_send_serviceops FOR EACH ROW
EXECUTE FUNCTION clinical_ops_keep_revisions();
"""


class Migration(migrations.Migration):
    dependencies = [("decisions", "0001_initial")]

    operations = [
        migrations.RunSQL(
            VERSIONS_APPEND_ONLY,
            "DROP TRIGGER decision_append_only ON packet_decision; DROP FUNCTION decision_refuse_change();",
        ),
        migrations.RunSQL(
            CLINICAL_OPS_REVISIONS,
            "DROP TRIGGER clinical_ops_revisions ON service_ops_send_serviceops;"
            "DROP FUNCTION clinical_ops_keep_revisions();",
        ),
    ]
