"""What operators need: corrections of messages, permissions, and indexes for their lists."""

import django.contrib.postgres.functions
import django.db.models.deletion
from django.db import migrations, models

import inbox.fields

# A pruned job takes its corrections along; a plain DELETE prunes, so Django's own cascade would not see it.
GUARD_CORRECTIONS = """
ALTER TABLE inbox_correction ADD CONSTRAINT inbox_correction_of_job
FOREIGN KEY (job_id) REFERENCES integration_inbox ON DELETE CASCADE;

CREATE TRIGGER inbox_correction_stays BEFORE UPDATE ON inbox_correction FOR EACH ROW
EXECUTE FUNCTION inbox_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("inbox", "0005_pause"),
    ]

    operations = [
        migrations.CreateModel(
            name="InboxCorrection",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "content",
                    inbox.fields.ReadableJsonField(help_text="Takes the place of the payload of the source row."),
                ),
                ("made_at", models.DateTimeField(db_default=django.contrib.postgres.functions.TransactionNow())),
                ("made_by", models.TextField()),
            ],
            options={
                "verbose_name": "correction",
                "db_table": "inbox_correction",
            },
        ),
        migrations.AlterModelOptions(
            name="inboxjob",
            options={
                "permissions": [
                    ("operate_job", "Can requeue, end, release and reschedule jobs"),
                    ("correct_job", "Can correct the message of a job"),
                    ("reveal_payload", "Can see payloads, which is logged"),
                ],
                "verbose_name": "job",
            },
        ),
        migrations.AddField(
            model_name="inboxjob",
            name="is_corrected",
            field=models.BooleanField(
                db_default=False, help_text="Its message was corrected by hand: the newest correction is handled."
            ),
        ),
        migrations.AddIndex(
            model_name="inboxaudit",
            index=models.Index(fields=["object", "id"], name="inbox_audit_object"),
        ),
        migrations.AddIndex(
            model_name="inboxjob",
            index=models.Index(
                condition=models.Q(("status__in", ("FAILED", "WAITING", "DEAD"))),
                fields=["status", "inbox_id"],
                name="inbox_troubled",
            ),
        ),
        migrations.AddIndex(
            model_name="inboxjob",
            index=models.Index(
                condition=models.Q(("error_kind__isnull", False)),
                fields=["error_kind", "inbox_id"],
                name="inbox_error_kind",
            ),
        ),
        migrations.AddField(
            model_name="inboxcorrection",
            name="job",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="corrections",
                to="inbox.inboxjob",
            ),
        ),
        migrations.RunSQL(
            GUARD_CORRECTIONS,
            "DROP TRIGGER inbox_correction_stays ON inbox_correction;"
            "ALTER TABLE inbox_correction DROP CONSTRAINT inbox_correction_of_job;",
        ),
    ]
