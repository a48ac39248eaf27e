from django.db import migrations, models

# Few rows, each rewritten six times: room on the page keeps the new version beside the old one.
ROOM = "ALTER TABLE inbox_tally SET (fillfactor = 50);"


class Migration(migrations.Migration):
    dependencies = [("inbox", "0007_prune")]

    operations = [
        migrations.CreateModel(
            name="InboxTally",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "minute", "worker_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("minute", models.DateTimeField()),
                ("worker_id", models.BigIntegerField(help_text="inbox_worker.id")),
                ("done_count", models.BigIntegerField(help_text="Since the process began, as the other counts.")),
                ("failed_count", models.BigIntegerField()),
                ("dead_count", models.BigIntegerField()),
            ],
            options={"verbose_name": "tally", "verbose_name_plural": "tallies", "db_table": "inbox_tally"},
        ),
        migrations.RunSQL(ROOM, migrations.RunSQL.noop),
    ]
