from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("packets", "0003_wake"),
    ]

    operations = [
        migrations.AlterField(
            model_name="packetevent",
            name="what",
            field=models.TextField(
                choices=[
                    ("created", "Created"),
                    ("intake_replaced", "Newer intake applied"),
                    ("intake_ignored", "Intake ignored"),
                    ("moved", "Moved by hand"),
                    ("decided", "Decided"),
                    ("answered", "Answer applied"),
                    ("answer_ignored", "Answer ignored"),
                ]
            ),
        ),
    ]
