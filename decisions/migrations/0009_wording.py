"""Labels and help texts in plain English. Nothing changes in the database."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("decisions", "0008_people"),
    ]

    operations = [
        migrations.AlterField(
            model_name="decisionmessage",
            name="content",
            field=models.JSONField(help_text="The parsed message, in the words of decisions/rules."),
        ),
        migrations.AlterField(
            model_name="decisionmessage",
            name="created_at",
            field=models.DateTimeField(help_text="From the source row; null sorts before all others.", null=True),
        ),
        migrations.AlterField(
            model_name="decisionmessage",
            name="said_at",
            field=models.DateTimeField(
                help_text="When this content was written: created_at, or the time of the UPDATE that wrote it.",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="decisionmessage",
            name="source",
            field=models.TextField(help_text="The source of its job; `staff` for an answer by a person."),
        ),
        migrations.AlterField(
            model_name="packetdecision",
            name="correlation_id",
            field=models.UUIDField(help_text="The request that made it; repeated, it returns this version."),
        ),
        migrations.AlterField(
            model_name="packetdecision",
            name="decision_round",
            field=models.IntegerField(db_default=1, help_text="A different clinical answer starts a new round."),
        ),
        migrations.AlterField(
            model_name="packetdecision",
            name="supersedes",
            field=models.OneToOneField(
                help_text="The previous version.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="superseded_by",
                to="decisions.packetdecision",
            ),
        ),
        migrations.AlterField(
            model_name="sendclinicalops",
            name="dedupe_key",
            field=models.TextField(help_text="Each request is written once."),
        ),
        migrations.AlterField(
            model_name="sendclinicalops",
            name="is_picked",
            field=models.BooleanField(
                help_text="Null: waiting. True: taken. False: refused, see error_reason.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="sendintegration",
            name="dedupe_key",
            field=models.TextField(help_text="Each request is written once."),
        ),
    ]
