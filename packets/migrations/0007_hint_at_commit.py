"""Integration's rows wake workers by a trigger that fires at the commit, for the first row of each transaction only."""

from django.db import migrations

DROP = "DROP TRIGGER integration_wakes_workers ON integration_send_serviceops;"
AT_COMMIT = """
CREATE CONSTRAINT TRIGGER integration_wakes_workers AFTER INSERT ON integration_send_serviceops
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
WHEN (CASE WHEN coalesce(current_setting('inbox.hint', true), '') = ''
           THEN set_config('inbox.hint', 'due', true) = 'due' ELSE false END)
EXECUTE FUNCTION inbox_notify();
"""
AT_ONCE = """
CREATE TRIGGER integration_wakes_workers AFTER INSERT ON integration_send_serviceops
FOR EACH STATEMENT EXECUTE FUNCTION inbox_notify();
"""


class Migration(migrations.Migration):
    dependencies = [("packets", "0006_wording"), ("inbox", "0011_careful_notify")]

    operations = [migrations.RunSQL(DROP + AT_COMMIT, DROP + AT_ONCE)]
