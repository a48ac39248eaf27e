"""A generated payload is stored once, beside its message; versions carry its digest.

The columns may be null, so that the previous release goes on writing beside this one. Rows that it has written keep their
payload where it was.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("decisions", "0009_wording"),
    ]

    operations = [
        migrations.AddField(
            model_name="decisionmessage",
            name="payload",
            field=models.JSONField(
                help_text="The generated payload, which `payload_digest` in content stands for.", null=True
            ),
        ),
        migrations.AddField(
            model_name="packetdecision",
            name="esmd_payload_digest",
            field=models.TextField(
                help_text="Of the payload that was sent; the message with the same digest holds it.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="decisionmessage",
            name="content",
            field=models.JSONField(
                help_text="The parsed message, in the words of decisions/rules, without its payload."
            ),
        ),
    ]
