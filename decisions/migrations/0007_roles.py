"""The roles: groups with what each may do. Whoever administers users puts people into them.

Django makes permissions after all migrations, so on a fresh database those of the roles are made here; it then finds
them. What an administrator has added to a group of the same name stays.
"""

from django.db import migrations

VIEWED = {
    "inbox": ["inboxjob", "inboxworker", "inboxaudit", "inboxcorrection", "pollwatermark", "sourcepause"],
    "packets": ["packet", "packetdocument", "packetevent", "integrationmessage"],
    "decisions": ["packetdecision", "decisionmessage", "clinicalopsmessage", "sendintegration", "sendclinicalops"],
}
VIEW = [(app, model, f"view_{model}", None) for app, models in VIEWED.items() for model in models]
OPERATE = [("inbox", "inboxjob", "operate_job", "Can requeue, end, release and reschedule jobs")]
EDIT = [
    ("inbox", "inboxjob", "correct_job", "Can correct the message of a job"),
    ("inbox", "inboxjob", "reveal_payload", "Can see payloads, which is logged"),
]
REVIEW = [
    ("packets", "packet", "add_packet", "Can add packet"),
    ("decisions", "packetdecision", "decide_packet", "Can decide packets"),
    ("decisions", "packetdecision", "move_packet", "Can move packets by hand"),
]
ROLES = {
    "viewer": VIEW,
    "operator": VIEW + OPERATE,
    "editor": VIEW + OPERATE + EDIT,
    "staff reviewer": VIEW + REVIEW,
}


def make_roles(apps, schema_editor):
    Group = apps.get_model("auth", "Group")
    for name, permissions in ROLES.items():
        group, _ = Group.objects.get_or_create(name=name)
        group.permissions.add(*[_permission(apps, *wanted) for wanted in permissions])


def _permission(apps, app, model, codename, name):
    content_type, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(app_label=app, model=model)
    name = name or f"Can view {apps.get_model(app, model)._meta.verbose_name}"
    permission, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=content_type, codename=codename, defaults={"name": name}
    )
    return permission


class Migration(migrations.Migration):
    dependencies = [
        ("decisions", "0006_staff_permissions"),
        ("packets", "0004_event_kinds"),
        ("inbox", "0006_operators"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(make_roles, migrations.RunPython.noop)]
