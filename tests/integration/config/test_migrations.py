"""No migration stops a running system: the linter reads the SQL that Django writes for each."""

import re
from pathlib import Path
from uuid import uuid4

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import connection, migrations, models
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader

from tools.migration_linter.linter import BEFORE_ANY_ROW, EXCUSED, LARGE_TABLES, find_problems
from tools.migration_linter.python_steps import python_in_one_transaction


def migration(*operations, atomic=True):
    made = Migration("x", "inbox")
    made.operations, made.atomic = list(operations), atomic
    return made


def of_the_project(app):
    path = Path(apps.get_app_config(app).path)
    return path.is_relative_to(settings.BASE_DIR) and "site-packages" not in path.parts


def made_with_rows(app, name):
    """An app that the linter does not know is new, and so is a migration without a number."""
    number = re.match(r"\d+", name)
    return not number or int(number[0]) > BEFORE_ANY_ROW.get(app, 0)


def new_migrations():
    loader = MigrationLoader(connection, replace_migrations=False)
    return loader, [
        migration
        for (app, name), migration in sorted(loader.disk_migrations.items())
        if of_the_project(app) and made_with_rows(app, name)
    ]


@pytest.mark.django_db
def test_no_migration_stops_a_running_system():
    loader, new = new_migrations()
    for migration in new:
        # First: to collect the SQL runs what stands in SeparateDatabaseAndState.
        assert not python_in_one_transaction(migration), (
            f"{migration}: RunPython in one transaction; set atomic = False and go in batches"
        )
        statements = loader.collect_sql([(migration, False)])
        excused = EXCUSED.get((migration.app_label, migration.name), {})
        assert find_problems(statements, migration.atomic, excused) == [], migration
        assert not excused or find_problems(statements, migration.atomic), f"{migration} needs no excuse"


@pytest.mark.django_db
def test_the_migrations_of_each_app_of_the_project_are_looked_at(monkeypatch):
    monkeypatch.delitem(BEFORE_ANY_ROW, "inbox")
    _, new = new_migrations()
    looked_at = {(migration.app_label, migration.name) for migration in new}
    assert ("inbox", "0001_initial") in looked_at
    assert {app for app, _ in looked_at} <= {"config", "decisions", "inbox", "packets"}


@pytest.mark.django_db
def test_only_what_is_there_is_excused():
    """Otherwise the next migration would be, whatever it does."""
    loader, _ = new_migrations()
    assert set(EXCUSED) <= set(loader.disk_migrations)
    numbers = {(app, int(name[:4])) for app, name in loader.disk_migrations if app in BEFORE_ANY_ROW}
    assert set(BEFORE_ANY_ROW.items()) <= numbers


@pytest.mark.django_db
def test_the_linter_reads_what_django_writes(monkeypatch):
    """Some of the migrations that were made before there was any row would be refused now."""
    loader, _ = new_migrations()
    old = loader.disk_migrations[("inbox", "0003_presence")]
    found = " ".join(find_problems(loader.collect_sql([(old, False)])))
    assert "AddIndexConcurrently" in found
    assert "AddConstraintNotValid" in found


@pytest.mark.django_db
@pytest.mark.parametrize(
    "operation",
    [
        migrations.RemoveField("inboxtally", "done_count"),
        migrations.RenameField("inboxworker", "host", "machine"),
        migrations.AlterModelTable("inboxworker", "inbox_process"),
        migrations.DeleteModel("SourcePause"),
        migrations.AddField("sourcepause", "x", models.TextField(default="")),
        migrations.AlterField("sourcepause", "probe_lease_id", models.UUIDField(default=uuid4)),
    ],
    ids=lambda operation: type(operation).__name__,
)
def test_what_django_writes_for_a_small_table_is_found(operation):
    assert find_problems(written_for(operation))


@pytest.mark.django_db
@pytest.mark.parametrize(
    "operation",
    [
        migrations.AddField("inboxjob", "x", models.TextField(null=True, default="")),
        migrations.AddField("inboxjob", "x", models.IntegerField(db_default=0)),
        AddConstraintNotValid("inboxjob", models.CheckConstraint(condition=models.Q(attempt_count__gt=-1), name="c")),
        migrations.CreateModel("X", [("id", models.BigAutoField(primary_key=True)), ("y", models.TextField())]),
    ],
    ids=lambda operation: type(operation).__name__,
)
def test_what_django_writes_when_asked_well_is_fine(operation):
    assert find_problems(written_for(operation)) == []


def written_for(operation):
    state = MigrationLoader(connection).project_state()
    with connection.schema_editor(collect_sql=True) as editor:
        migration(operation).apply(state, editor, collect_sql=True)
    return editor.collected_sql


@pytest.mark.django_db
def test_every_table_of_the_linter_is_there():
    assert set(connection.introspection.table_names()) >= LARGE_TABLES
