"""The history of a packet is append-only."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("packets", "0001_initial"), ("inbox", "0002_guards")]

    operations = [
        migrations.RunSQL(
            """
            CREATE TRIGGER packet_event_append_only BEFORE UPDATE OR DELETE ON packet_event FOR EACH ROW
            EXECUTE FUNCTION inbox_refuse_change();
            """,
            "DROP TRIGGER packet_event_append_only ON packet_event;",
        ),
    ]
