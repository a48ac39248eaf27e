"""Wakes workers when Integration has committed rows."""

from django.db import migrations

WAKE = """
CREATE TRIGGER integration_wakes_workers AFTER INSERT ON integration_send_serviceops
FOR EACH STATEMENT EXECUTE FUNCTION inbox_notify();
"""


class Migration(migrations.Migration):
    dependencies = [("packets", "0002_guards"), ("inbox", "0004_wake_and_health")]

    operations = [migrations.RunSQL(WAKE, "DROP TRIGGER integration_wakes_workers ON integration_send_serviceops;")]
