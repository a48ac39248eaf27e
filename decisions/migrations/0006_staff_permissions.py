from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("decisions", "0005_written_at")]

    operations = [
        migrations.AlterModelOptions(
            "packetdecision",
            {
                "verbose_name": "decision version",
                "permissions": [
                    ("decide_packet", "Can decide packets"),
                    ("move_packet", "Can move packets by hand"),
                ],
            },
        ),
    ]
