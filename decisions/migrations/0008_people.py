"""Who decides sees whom it is about: groups and people with `decide_packet`, and the role, get `see_people`.

They saw it before there was this permission. A role that an administrator has renamed or removed stays so.
"""

from django.db import migrations
from django.db.models import Q

ROLE = "staff reviewer"


def show_people_to_reviewers(apps, schema_editor):
    Group, User = apps.get_model("auth", "Group"), apps.get_model("auth", "User")
    content_type, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label="packets", model="packet"
    )
    see_people, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=content_type,
        codename="see_people",
        defaults={"name": "Can see beneficiaries, providers and other texts of messages"},
    )
    decides = {"content_type__app_label": "decisions", "codename": "decide_packet"}
    may_decide = apps.get_model("auth", "Permission").objects.filter(**decides)
    for group in Group.objects.filter(Q(permissions__in=may_decide) | Q(name=ROLE)).distinct():
        group.permissions.add(see_people)
    for user in User.objects.filter(user_permissions__in=may_decide).distinct():
        user.user_permissions.add(see_people)


class Migration(migrations.Migration):
    # Each step can be done again, so a part of them may be there.
    atomic = False

    dependencies = [("decisions", "0007_roles"), ("packets", "0005_people")]

    operations = [migrations.RunPython(show_people_to_reviewers, migrations.RunPython.noop)]
