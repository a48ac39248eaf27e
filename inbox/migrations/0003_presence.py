import django.contrib.postgres.functions
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("inbox", "0002_guards"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="inboxjob",
            name="inbox_locked_exactly_when_processing",
        ),
        migrations.RemoveConstraint(
            model_name="inboxworker",
            name="inbox_worker_state_known",
        ),
        migrations.AddField(
            model_name="inboxjob",
            name="presence_id",
            field=models.BigIntegerField(
                help_text="inbox_worker.id of the last claimant, if its presence can be seen.", null=True
            ),
        ),
        migrations.AddField(
            model_name="inboxworker",
            name="has_presence",
            field=models.BooleanField(
                db_default=False,
                help_text="It holds a session lock that vanishes with it, so its death is seen at once.",
            ),
        ),
        migrations.AddField(
            model_name="pollwatermark",
            name="lookback_finds",
            field=models.BigIntegerField(db_default=0, help_text="Rows that committed late and were found behind it."),
        ),
        migrations.AddField(
            model_name="pollwatermark",
            name="next_lookback_at",
            field=models.DateTimeField(
                db_default=django.contrib.postgres.functions.TransactionNow(),
                help_text="Whoever moves it does the wider look.",
            ),
        ),
        migrations.AddField(
            model_name="pollwatermark",
            name="next_reconcile_at",
            field=models.DateTimeField(db_default=django.contrib.postgres.functions.TransactionNow()),
        ),
        migrations.AlterField(
            model_name="inboxworker",
            name="state",
            field=models.TextField(
                choices=[
                    ("RUNNING", "Running"),
                    ("STOPPED", "Stopped by itself"),
                    ("GONE", "Gone: died, or lost its connection"),
                ],
                db_default="RUNNING",
            ),
        ),
        migrations.AddIndex(
            model_name="inboxjob",
            index=models.Index(fields=["decision_tracking_id"], name="inbox_tracking"),
        ),
        migrations.AddIndex(
            model_name="inboxworker",
            index=models.Index(condition=models.Q(("state", "RUNNING")), fields=["id"], name="inbox_worker_running"),
        ),
        migrations.AddConstraint(
            model_name="inboxjob",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("lease_id__isnull", False),
                        ("locked_at__isnull", False),
                        ("locked_by__isnull", False),
                        ("status", "PROCESSING"),
                    ),
                    models.Q(
                        models.Q(("status", "PROCESSING"), _negated=True),
                        ("locked_at__isnull", True),
                        ("locked_by__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="inbox_locked_exactly_when_processing",
            ),
        ),
        migrations.AddConstraint(
            model_name="inboxworker",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["RUNNING", "STOPPED", "GONE"])), name="inbox_worker_state_known"
            ),
        ),
    ]
