"""Times of jobs that Python has not are read as None. Only Django's own state changes; no SQL is run."""

import django.contrib.postgres.functions
from django.db import migrations

import inbox.fields


class Migration(migrations.Migration):
    dependencies = [
        ("inbox", "0008_tally"),
    ]

    operations = [
        migrations.AlterField(
            model_name="inboxjob",
            name="created_at",
            field=inbox.fields.ReadableDateTimeField(db_default=django.contrib.postgres.functions.TransactionNow()),
        ),
        migrations.AlterField(
            model_name="inboxjob",
            name="finished_at",
            field=inbox.fields.ReadableDateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name="inboxjob",
            name="locked_at",
            field=inbox.fields.ReadableDateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name="inboxjob",
            name="next_attempt_at",
            field=inbox.fields.ReadableDateTimeField(db_default=django.contrib.postgres.functions.TransactionNow()),
        ),
        migrations.AlterField(
            model_name="inboxjob",
            name="started_at",
            field=inbox.fields.ReadableDateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name="inboxjob",
            name="updated_at",
            field=inbox.fields.ReadableDateTimeField(db_default=django.contrib.postgres.functions.TransactionNow()),
        ),
        migrations.AlterField(
            model_name="inboxjob",
            name="waiting_since",
            field=inbox.fields.ReadableDateTimeField(null=True),
        ),
    ]
