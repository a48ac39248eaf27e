"""A notification is a hint and must not fail the commit of the transaction that sends it.

PostgreSQL refuses such a commit while its NOTIFY queue is full, and refuses to prepare a transaction that notifies. So
inbox_notify() looks first, and notifies below a tenth of the queue only (SHARE in inbox/db/notify.py says why a tenth).
It is for constraint triggers that are deferred, so that it looks at the moment of the commit; one event is enough for
each transaction, which `inbox.hint` notes. An error of its own, such as a missing right, costs the hint and no more.
It has no backslash, which a session with standard_conforming_strings = off reads in its own way, with a warning.

Statement-level triggers of other tables go on as they are: they look when the statement ends.
"""

from django.db import migrations

NOTIFY = """
CREATE OR REPLACE FUNCTION inbox_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(current_setting('inbox.notify', true), '') <> 'off'
       AND coalesce(left(current_query(), 1000), '') !~* 'prepare[[:space:]]+transaction'
       AND pg_notification_queue_usage() < 0.1 THEN
        NOTIFY inbox;
    END IF;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END $$;
"""
PLAIN_NOTIFY = """
CREATE OR REPLACE FUNCTION inbox_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(current_setting('inbox.notify', true), '') <> 'off' THEN
        NOTIFY inbox;
    END IF;
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("inbox", "0010_wording")]

    operations = [migrations.RunSQL(NOTIFY, PLAIN_NOTIFY)]
