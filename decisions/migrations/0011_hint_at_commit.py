"""Rows of ClinicalOps wake workers by a trigger that fires at the commit, for the first row of each transaction only."""

from django.db import migrations

DROP = "DROP TRIGGER clinical_ops_wakes_workers ON service_ops_send_serviceops;"
WATCHED = "clinical_ops_decision_json, json_sent_to_integration, payload, decision_tracking_id, is_deleted"
AT_COMMIT = f"""
CREATE CONSTRAINT TRIGGER clinical_ops_wakes_workers
AFTER INSERT OR UPDATE OF {WATCHED} ON service_ops_send_serviceops
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
WHEN (CASE WHEN coalesce(current_setting('inbox.hint', true), '') = ''
           THEN set_config('inbox.hint', 'due', true) = 'due' ELSE false END)
EXECUTE FUNCTION inbox_notify();
"""
AT_ONCE = f"""
CREATE TRIGGER clinical_ops_wakes_workers
AFTER INSERT OR UPDATE OF {WATCHED} ON service_ops_send_serviceops
FOR EACH STATEMENT EXECUTE FUNCTION inbox_notify();
"""


class Migration(migrations.Migration):
    dependencies = [("decisions", "0010_payload_apart"), ("inbox", "0011_careful_notify")]

    operations = [migrations.RunSQL(DROP + AT_COMMIT, DROP + AT_ONCE)]
