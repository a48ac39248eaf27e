"""Roles are made on databases that people have used: nothing is taken from anybody, and once more changes nothing."""

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

pytestmark = pytest.mark.django_db

ROLES = "0007_roles"
PEOPLE = "0008_people"


class Migrations:
    """Undoes and does single migrations of `decisions`, each as `migrate` does it."""

    def __init__(self):
        self.executor = MigrationExecutor(connection)

    def migration(self, name):
        key, loader = ("decisions", name), self.executor.loader
        return loader.project_state(key, at_end=False), loader.graph.nodes[key]

    def forward(self, *names):
        for name in names:
            before, migration = self.migration(name)
            self.executor.apply_migration(before, migration)

    def back(self, *names):
        for name in names:
            before, migration = self.migration(name)
            self.executor.unapply_migration(before, migration)


def held():
    """The permissions and people of each group, and each person's own permissions."""
    return {
        **{
            f"group {group.name}": (
                set(group.permissions.values_list("content_type__app_label", "codename")),
                set(group.user_set.values_list("username", flat=True)),
            )
            for group in Group.objects.all()
        },
        **{
            f"user {user.username}": set(user.user_permissions.values_list("content_type__app_label", "codename"))
            for user in User.objects.all()
        },
    }


def permission(codename):
    return Permission.objects.get(codename=codename)


@pytest.fixture
def used():
    """As before the roles came: groups of the same names and of others, people in them, rights of their own."""
    migrations = Migrations()
    migrations.back(PEOPLE, ROLES)
    Group.objects.all().delete()
    Permission.objects.filter(codename="see_people").delete()
    viewer, clerks = (Group.objects.create(name=name) for name in ("viewer", "clerks"))
    viewer.permissions.set([permission("add_user"), permission("reveal_payload")])
    clerks.permissions.set([permission("view_packet"), permission("decide_packet")])
    Group.objects.create(name="others")
    for name, groups in {"ada": [viewer], "bob": [viewer, clerks], "eve": []}.items():
        User.objects.create_user(name).groups.set(groups)
    User.objects.get(username="ada").user_permissions.set([permission("delete_packet"), permission("decide_packet")])
    return migrations


def has_all(before, after):
    """Whatever anybody had, they have still."""
    for name, what in before.items():
        if isinstance(what, tuple):
            assert all(old <= new for old, new in zip(what, after[name], strict=True)), name
            assert what[1] == after[name][1], name
        else:
            assert what <= after[name], name


def test_nothing_is_taken_from_anybody_who_was_there_before(used):
    before = held()
    used.forward(ROLES, PEOPLE)
    after = held()
    has_all(before, after)
    assert ("auth", "add_user") in after["group viewer"][0]
    assert ("inbox", "view_inboxjob") in after["group viewer"][0]
    assert after["group others"] == (set(), set())
    assert after["user eve"] == after["user bob"] == set()
    assert {"group viewer", "group operator", "group editor", "group staff reviewer"} <= after.keys()


def test_whoever_decides_still_sees_whom_it_is_about(used):
    used.forward(ROLES, PEOPLE)
    may = {name for name, what in held().items() if ("packets", "see_people") in (what if name[0] == "u" else what[0])}
    assert may == {"group clerks", "group staff reviewer", "user ada"}
    bob, eve = (User.objects.get(username=name) for name in ("bob", "eve"))
    assert bob.has_perm("packets.see_people")
    assert not eve.has_perm("packets.see_people")


def test_back_and_forward_again_changes_nothing(used):
    used.forward(ROLES, PEOPLE)
    # Changes that an administrator has made to the roles since.
    Group.objects.get(name="operator").permissions.add(permission("reveal_payload"))
    Group.objects.get(name="editor").user_set.add(User.objects.get(username="eve"))
    before = held()
    count = Permission.objects.count()
    used.back(PEOPLE, ROLES)
    assert held() == before
    used.forward(ROLES, PEOPLE)
    assert held() == before
    assert Permission.objects.count() == count


def test_a_role_that_an_administrator_has_removed_or_renamed_stays_so(used):
    used.forward(ROLES)
    Group.objects.filter(name="staff reviewer").update(name="Reviewers")
    Group.objects.filter(name="operator").delete()
    used.forward(PEOPLE)
    assert not Group.objects.filter(name__in=["staff reviewer", "operator"]).exists()
    assert Group.objects.get(name="Reviewers").permissions.filter(codename="see_people").exists()


def test_permissions_that_the_migrations_made_are_those_that_django_would_make(used):
    used.forward(ROLES, PEOPLE)
    made = {
        (permission.content_type.app_label, permission.content_type.model, permission.codename): permission.name
        for permission in Permission.objects.filter(content_type__app_label__in=["inbox", "packets", "decisions"])
    }
    for model in (
        model for app in ("inbox", "packets", "decisions") for model in apps.get_app_config(app).get_models()
    ):
        for codename, name in model._meta.permissions:
            assert made[model._meta.app_label, model._meta.model_name, codename] == name
    assert len(made) == Permission.objects.filter(content_type__app_label__in=["inbox", "packets", "decisions"]).count()
