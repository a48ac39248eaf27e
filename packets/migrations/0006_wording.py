"""Labels and help texts in plain English. Nothing changes in the database."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("packets", "0005_people"),
    ]

    operations = [
        migrations.AlterField(
            model_name="packet",
            name="due_date",
            field=models.DateTimeField(help_text="Null if the submission type is unknown: manual review.", null=True),
        ),
        migrations.AlterField(
            model_name="packetevent",
            name="correlation_id",
            field=models.UUIDField(help_text="The request of a move by hand.", null=True),
        ),
        migrations.AlterField(
            model_name="packetevent",
            name="job_id",
            field=models.BigIntegerField(help_text="inbox_id of the job. Jobs are pruned; history is kept.", null=True),
        ),
    ]
