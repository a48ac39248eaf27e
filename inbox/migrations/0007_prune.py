from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("inbox", "0006_operators"),
    ]

    operations = [
        migrations.AddField(
            model_name="pollwatermark",
            name="pruned_count",
            field=models.BigIntegerField(db_default=0, help_text="Jobs of this source that were pruned."),
        ),
    ]
