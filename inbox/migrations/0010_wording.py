"""Labels and help texts in plain English. Nothing changes in the database."""

import django.contrib.postgres.functions
from django.db import migrations, models

import inbox.fields


class Migration(migrations.Migration):
    dependencies = [
        ("inbox", "0009_readable_times"),
    ]

    operations = [
        migrations.AlterField(
            model_name="inboxaudit",
            name="object",
            field=models.TextField(help_text="For example job:17."),
        ),
        migrations.AlterField(
            model_name="inboxcorrection",
            name="content",
            field=inbox.fields.ReadableJsonField(help_text="Handled in place of the payload of the source row."),
        ),
        migrations.AlterField(
            model_name="inboxjob",
            name="is_corrected",
            field=models.BooleanField(
                db_default=False, help_text="Its message was corrected by hand: handlers read the newest correction."
            ),
        ),
        migrations.AlterField(
            model_name="inboxjob",
            name="lease_id",
            field=models.UUIDField(help_text="The id of the last claim; never used twice.", null=True),
        ),
        migrations.AlterField(
            model_name="inboxjob",
            name="presence_id",
            field=models.BigIntegerField(
                help_text="inbox_worker.id of the last claimant, if it has presence.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="inboxjob",
            name="runs_alone",
            field=models.BooleanField(
                db_default=False,
                help_text="Claimed alone from now on: its worker died, its claim grew stale, or its lease was released.",
            ),
        ),
        migrations.AlterField(
            model_name="inboxjob",
            name="status",
            field=models.TextField(
                choices=[
                    ("NEW", "New"),
                    ("PROCESSING", "Processing"),
                    ("DONE", "Done"),
                    ("FAILED", "Failed, will be retried"),
                    ("WAITING", "Waiting for something"),
                    ("DEAD", "Dead"),
                ],
                db_default="NEW",
            ),
        ),
        migrations.AlterField(
            model_name="inboxtally",
            name="done_count",
            field=models.BigIntegerField(help_text="Since the process began, like the other counts."),
        ),
        migrations.AlterField(
            model_name="inboxworker",
            name="has_presence",
            field=models.BooleanField(
                db_default=False,
                help_text="It holds a session lock that vanishes with it, so others notice its death at once.",
            ),
        ),
        migrations.AlterField(
            model_name="inboxworker",
            name="instance_id",
            field=models.UUIDField(
                help_text="Chosen by the process, so that a repeated registration finds its row.", unique=True
            ),
        ),
        migrations.AlterField(
            model_name="inboxworker",
            name="state",
            field=models.TextField(
                choices=[
                    ("RUNNING", "Running"),
                    ("STOPPED", "Stopped normally"),
                    ("GONE", "Lost: died, or lost its connection"),
                ],
                db_default="RUNNING",
            ),
        ),
        migrations.AlterField(
            model_name="pollwatermark",
            name="lookback_finds",
            field=models.BigIntegerField(db_default=0, help_text="Rows that committed late, found by the lookback."),
        ),
        migrations.AlterField(
            model_name="pollwatermark",
            name="next_lookback_at",
            field=models.DateTimeField(
                db_default=django.contrib.postgres.functions.TransactionNow(),
                help_text="The process that moves it does the lookback.",
            ),
        ),
        migrations.AlterField(
            model_name="pollwatermark",
            name="pruned_before",
            field=models.DateTimeField(help_text="Source rows older than this never become jobs again.", null=True),
        ),
        migrations.AlterField(
            model_name="sourcepause",
            name="next_try_at",
            field=models.DateTimeField(help_text="When one process may try one job, the probe."),
        ),
        migrations.AlterField(
            model_name="sourcepause",
            name="probe_lease_id",
            field=models.UUIDField(help_text="The lease of the last probe.", null=True),
        ),
        migrations.AlterField(
            model_name="sourcepause",
            name="tries",
            field=models.IntegerField(db_default=0, help_text="Failed probes since the pause began."),
        ),
    ]
