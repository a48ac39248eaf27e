from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("packets", "0004_event_kinds")]

    operations = [
        migrations.AlterModelOptions(
            "packet",
            {"permissions": [("see_people", "Can see beneficiaries, providers and other texts of messages")]},
        ),
        migrations.AddField(
            "packetevent",
            "correlation_id",
            models.UUIDField(help_text="Of a move by hand: the request that made it.", null=True),
        ),
    ]
