import django.contrib.postgres.functions
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("inbox", "0004_wake_and_health"),
    ]

    operations = [
        migrations.CreateModel(
            name="SourcePause",
            fields=[
                ("source", models.TextField(primary_key=True, serialize=False)),
                ("reason", models.TextField()),
                ("paused_since", models.DateTimeField(db_default=django.contrib.postgres.functions.TransactionNow())),
                ("next_try_at", models.DateTimeField(help_text="From then on, one process tries one job.")),
                ("tries", models.IntegerField(db_default=0, help_text="How often it was tried in vain since then.")),
                (
                    "probe_lease_id",
                    models.UUIDField(help_text="Of the claim that tries it, or tried it last.", null=True),
                ),
                ("updated_at", models.DateTimeField(db_default=django.contrib.postgres.functions.TransactionNow())),
            ],
            options={
                "verbose_name": "pause",
                "db_table": "inbox_pause",
            },
        ),
    ]
