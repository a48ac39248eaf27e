import django.contrib.postgres.functions
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("decisions", "0003_wake"),
        ("packets", "0004_event_kinds"),
    ]

    operations = [
        migrations.CreateModel(
            name="DecisionMessage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.TextField(
                        choices=[
                            ("clinical", "Clinical answer"),
                            ("payload", "Generated payload"),
                            ("utn", "UTN answer"),
                        ]
                    ),
                ),
                ("source", models.TextField(help_text="As of its job; `staff` if a person said it.")),
                ("message_id", models.BigIntegerField()),
                ("revision", models.IntegerField(db_default=1)),
                (
                    "created_at",
                    models.DateTimeField(help_text="Of the source row; null sorts before all others.", null=True),
                ),
                (
                    "said_at",
                    models.DateTimeField(
                        help_text="When this content was written: created_at, or the time of the UPDATE that brought it.",
                        null=True,
                    ),
                ),
                ("content", models.JSONField(help_text="What it says, in the words of decisions/standing.py.")),
                ("handled_at", models.DateTimeField(db_default=django.contrib.postgres.functions.TransactionNow())),
                (
                    "packet",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="decision_messages",
                        to="packets.packet",
                    ),
                ),
            ],
            options={
                "verbose_name": "decision message",
                "db_table": "packet_decision_message",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("packet", "kind", "source", "message_id", "revision"), name="decision_message_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["clinical", "payload", "utn"])),
                        name="decision_message_kind_known",
                    ),
                ],
            },
        ),
        migrations.RunSQL(
            """
            CREATE TRIGGER decision_message_append_only BEFORE UPDATE OR DELETE ON packet_decision_message
            FOR EACH ROW EXECUTE FUNCTION inbox_refuse_change();
            """,
            "DROP TRIGGER decision_message_append_only ON packet_decision_message;",
        ),
    ]
