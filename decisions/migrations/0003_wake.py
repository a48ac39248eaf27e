"""Wakes workers when ClinicalOps or the JSON Generator has written. Our own columns are not among those watched."""

from django.db import migrations

WAKE = """
CREATE TRIGGER clinical_ops_wakes_workers
AFTER INSERT OR UPDATE OF clinical_ops_decision_json, json_sent_to_integration, payload, decision_tracking_id, is_deleted
ON service_ops_send_serviceops
FOR EACH STATEMENT EXECUTE FUNCTION inbox_notify();
"""


class Migration(migrations.Migration):
    dependencies = [("decisions", "0002_guards"), ("inbox", "0004_wake_and_health")]

    operations = [migrations.RunSQL(WAKE, "DROP TRIGGER clinical_ops_wakes_workers ON service_ops_send_serviceops;")]
