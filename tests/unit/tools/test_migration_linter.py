"""No migration stops a running system: a linter reads the SQL of each."""

import re
from pathlib import Path
from uuid import uuid4

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import connection, migrations, models
from django.db.migrations import Migration, RunPython, RunSQL, SeparateDatabaseAndState
from django.db.migrations.loader import MigrationLoader

from tools.migration_linter.linter import BEFORE_ANY_ROW, EXCUSED, LARGE_TABLES, findings
from tools.migration_linter.steps import python_in_one_transaction

BAD = [
    'CREATE INDEX "x" ON "integration_inbox" ("message_type")',
    "CREATE UNIQUE INDEX x ON packet (case_id)",
    "DROP INDEX integration_inbox_x",
    "REINDEX TABLE integration_inbox",
    'ALTER TABLE "integration_inbox" ALTER COLUMN "attempt_count" TYPE bigint USING "attempt_count"::bigint',
    "ALTER TABLE integration_inbox ALTER COLUMN note SET NOT NULL",
    'ALTER TABLE "packet" ADD CONSTRAINT "c" CHECK ("x" > 0)',
    'ALTER TABLE "packet" ADD CONSTRAINT "u" UNIQUE ("case_id")',
    "ALTER TABLE packet ADD CONSTRAINT f FOREIGN KEY (x) REFERENCES other (id)",
    "ALTER TABLE packet ADD COLUMN x bigint NULL CONSTRAINT f REFERENCES other (id) DEFERRABLE",
    "ALTER TABLE integration_inbox ADD COLUMN x uuid DEFAULT gen_random_uuid() NOT NULL",
    "ALTER TABLE integration_inbox ADD COLUMN x text NOT NULL",
    "ALTER TABLE integration_inbox ADD COLUMN x int GENERATED ALWAYS AS (attempt_count + 1) STORED",
    "ALTER TABLE integration_inbox DROP COLUMN note CASCADE",
    "ALTER TABLE integration_inbox RENAME COLUMN note TO remark",
    "DROP TABLE packet_event",
    "LOCK TABLE integration_inbox",
    "VACUUM FULL integration_inbox",
    "ALTER TABLE integration_inbox SET UNLOGGED",
    "UPDATE integration_inbox SET note = NULL",
    "SELECT 1; /* here */ delete from only packet_event",
]
# What once got through, by the way it did.
EMBEDDED = [
    "WITH x AS (SELECT 1) UPDATE integration_inbox SET note = NULL",
    "WITH x AS (DELETE FROM packet_event RETURNING id) SELECT count(*) FROM x",
    "MERGE INTO integration_inbox USING x ON true WHEN MATCHED THEN DELETE",
    "DO $$ BEGIN UPDATE integration_inbox SET note = NULL; END $$",
    "DO LANGUAGE plpgsql $a$ BEGIN IF true THEN ALTER TABLE packet DROP COLUMN x; END IF; END $a$",
    "DO $$ BEGIN EXECUTE 'CREATE INDEX x ON packet (y)'; END $$",
    "DO $$ BEGIN EXECUTE $e$ UPDATE packet SET x = 1 $e$; END $$",
    "DO 'BEGIN UPDATE packet SET x = ''y''; END'",
    "DO $$ BEGIN EXECUTE format('UPDATE %I SET x = 1', 'packet'); END $$",
    "DO $$ BEGIN EXECUTE 'UPDATE ' || 'packet SET x = 1'; END $$",
    "SELECT ';'; UPDATE packet SET x = 1",
    "SELECT '--'; UPDATE packet SET x = 1",
    "/* /* */ */ UPDATE packet SET x = 1",
]
QUALIFIED = [
    "UPDATE public.integration_inbox SET note = NULL",
    'UPDATE "public"."integration_inbox" SET note = NULL',
    "UPDATE ONLY (integration_inbox) SET note = NULL",
    "CREATE INDEX x ON public.integration_inbox (y)",
    'CREATE INDEX x ON ONLY "public" . "integration_inbox" (y)',
    "ALTER TABLE IF EXISTS ONLY public.packet * ALTER COLUMN x TYPE bigint",
    "LOCK TABLE public.packet",
    'UPDATE "ServiceOps".packet SET x = 1',
    "ALTER TABLE serviceops.packet ADD UNIQUE (x)",
    "CREATE TABLE scratch.packet (x int); UPDATE packet SET x = 1",
    "CREATE TABLE IF NOT EXISTS packet (x int); UPDATE packet SET x = 1",
]
WITHOUT_COLUMN = [
    "ALTER TABLE integration_inbox ALTER note TYPE bigint USING 1",
    "ALTER TABLE integration_inbox ALTER note SET DATA TYPE bigint",
    "ALTER TABLE integration_inbox ALTER note SET NOT NULL",
    "ALTER TABLE integration_inbox ADD x text NOT NULL",
    "ALTER TABLE integration_inbox ADD IF NOT EXISTS x bigint REFERENCES other (id)",
    "ALTER TABLE integration_inbox ADD x uuid DEFAULT (gen_random_uuid())",
    "ALTER TABLE integration_inbox ADD x bigserial",
    "ALTER TABLE integration_inbox ADD x int UNIQUE",
    "ALTER TABLE integration_inbox ADD x int CHECK (x > 0)",
    "ALTER TABLE integration_inbox DROP note",
    "ALTER TABLE integration_inbox DROP IF EXISTS note",
    "ALTER TABLE integration_inbox RENAME note TO remark",
]
ONE_OF_SEVERAL = [
    "ALTER TABLE packet ADD COLUMN y text NOT NULL, ADD COLUMN x int DEFAULT 0",
    "ALTER TABLE packet ADD CONSTRAINT c CHECK (x > 0) NOT VALID, ADD CONSTRAINT d CHECK (y > 0)",
    "ALTER TABLE packet ADD COLUMN x numeric(8, 2), ADD UNIQUE (a, b)",
    'ALTER TABLE packet ADD COLUMN "default" text NOT NULL',
    "ALTER TABLE packet ADD COLUMN x bigint NOT NULL REFERENCES o (id) ON DELETE SET DEFAULT",
    "ALTER TABLE packet ADD CONSTRAINT c CHECK (x > 0) NOT VALID; ALTER TABLE packet VALIDATE CONSTRAINT c",
    "ALTER TABLE packet ADD CONSTRAINT c CHECK (x > 0) NOT VALID, VALIDATE CONSTRAINT c",
    'CREATE INDEX "concurrently" ON packet (x)',
]
LOCKS = [
    "VACUUM (FULL) integration_inbox",
    "VACUUM (VERBOSE, FULL) inbox_worker, integration_inbox",
    "VACUUM FULL",
    "REINDEX INDEX integration_inbox_pkey",
    "REINDEX (VERBOSE) TABLE integration_inbox",
    "REINDEX SCHEMA public",
    "REINDEX DATABASE concurrently_not",
    "REINDEX (CONCURRENTLY FALSE) INDEX x",
    "LOCK TABLE x, integration_inbox IN EXCLUSIVE MODE",
    "LOCK x, ONLY integration_inbox",
    "TRUNCATE x, integration_inbox",
    "TRUNCATE x CASCADE",
    "DROP TABLE x, integration_inbox",
    "CLUSTER",
    "ALTER TABLE integration_inbox SET SCHEMA archive",
    "ALTER TABLE packet SET ACCESS METHOD heap",
    "DROP SCHEMA public CASCADE",
]
OLD_CODE = [
    'ALTER TABLE "inbox_tally" DROP COLUMN "done_count" CASCADE',
    'ALTER TABLE "inbox_worker" RENAME COLUMN "state" TO "mode"',
    'ALTER TABLE "inbox_worker" RENAME TO "inbox_process"',
    'ALTER TABLE "inbox_worker" SET SCHEMA "archive"',
    'ALTER TABLE "poll_watermark" ADD COLUMN "x" text NOT NULL',
    'ALTER TABLE "poll_watermark" ADD COLUMN "x" text DEFAULT NULL NOT NULL',
    # AddField with a default in Python only.
    'ALTER TABLE "poll_watermark" ADD COLUMN "x" text DEFAULT \'\' NOT NULL;'
    'ALTER TABLE "poll_watermark" ALTER COLUMN "x" DROP DEFAULT',
    'ALTER TABLE "poll_watermark" ALTER COLUMN "x" SET NOT NULL',
    'ALTER TABLE "poll_watermark" ADD CONSTRAINT c NOT NULL x NOT VALID',
    'ALTER TABLE "poll_watermark" ALTER COLUMN "id" DROP IDENTITY',
    'DROP TABLE "inbox_pause" CASCADE',
    'CREATE TABLE x (y int); DROP TABLE x, "public"."inbox_pause"',
]
GOOD = [
    'CREATE INDEX CONCURRENTLY "x" ON "integration_inbox" ("message_type")',
    "DROP INDEX CONCURRENTLY integration_inbox_x",
    "CREATE INDEX x ON inbox_worker (state)",
    "CREATE TABLE packet_event (x int); CREATE INDEX x ON packet_event (x)",
    "ALTER TABLE integration_inbox ADD COLUMN x text NULL",
    "ALTER TABLE integration_inbox ADD COLUMN x int DEFAULT 0 NOT NULL",
    "ALTER TABLE integration_inbox ADD COLUMN x timestamptz DEFAULT now() NOT NULL",
    "ALTER TABLE packet ADD CONSTRAINT c CHECK (x > 0) NOT VALID",
    "ALTER TABLE packet VALIDATE CONSTRAINT c",
    "ALTER TABLE packet ADD CONSTRAINT u UNIQUE USING INDEX x",
    "CREATE FUNCTION f() RETURNS trigger AS $$ BEGIN UPDATE packet SET x = 1; RETURN NEW; END $$ LANGUAGE plpgsql",
    "CREATE TRIGGER t BEFORE UPDATE ON packet FOR EACH ROW EXECUTE FUNCTION f()",
    "ALTER TABLE integration_inbox SET (fillfactor = 70)",
    "-- UPDATE packet SET x = 1\nSELECT 1",
    "/* UPDATE packet SET x = 1; /* DROP TABLE packet; */ */ SELECT 'UPDATE packet SET x = 1; DROP TABLE packet'",
    'CREATE INDEX CONCURRENTLY IF NOT EXISTS x ON "public"."packet" (y)',
    "REINDEX INDEX CONCURRENTLY integration_inbox_pkey",
    "REINDEX (CONCURRENTLY, VERBOSE) TABLE packet",
    "VACUUM (ANALYZE) packet",
    "VACUUM FULL inbox_worker",
    "LOCK TABLE inbox_worker",
    "SELECT id FROM packet FOR NO KEY UPDATE OF packet SKIP LOCKED",
    "INSERT INTO packet (x) VALUES (1) ON CONFLICT (x) DO UPDATE SET x = 1",
    "GRANT UPDATE, DELETE ON packet TO serviceops",
    "DO $$ BEGIN IF true THEN UPDATE inbox_worker SET x = 1; RAISE NOTICE 'done'; END IF; END $$",
    "DO $$ BEGIN CREATE TRIGGER t BEFORE UPDATE ON packet FOR EACH ROW EXECUTE FUNCTION f(); END $$",
    "ALTER TABLE packet ADD x int, ADD y numeric(8, 2) DEFAULT 0 NOT NULL, ADD CHECK (x IN (1, 2)) NOT VALID",
    "ALTER TABLE packet VALIDATE CONSTRAINT c, VALIDATE CONSTRAINT d",
    "ALTER TABLE packet VALIDATE CONSTRAINT c; ALTER TABLE packet ADD COLUMN x int",
    "ALTER TABLE packet DROP CONSTRAINT c",
    "ALTER TABLE packet ALTER x DROP NOT NULL, ALTER x SET DEFAULT 1, ALTER x SET STATISTICS 500",
    # AddField with null=True and a default in Python only.
    "ALTER TABLE packet ADD COLUMN x int DEFAULT 0 NULL; ALTER TABLE packet ALTER COLUMN x DROP DEFAULT",
    "ALTER TABLE inbox_worker ADD COLUMN x bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL",
    "ALTER TABLE inbox_worker ADD CONSTRAINT c CHECK (x > 0)",
    "ALTER INDEX x RENAME TO y",
    'CREATE TABLE "x" (y int); ALTER TABLE "x" ADD z text NOT NULL; ALTER TABLE x DROP y; DROP TABLE public.x',
]


@pytest.mark.parametrize("sql", BAD)
def test_what_locks_a_large_table_or_takes_something_away_is_found(sql):
    assert findings([sql]), sql


@pytest.mark.parametrize("sql", EMBEDDED)
def test_a_statement_inside_of_another_is_found(sql):
    assert findings([sql]), sql


@pytest.mark.parametrize("sql", QUALIFIED)
def test_a_table_is_known_however_it_is_named(sql):
    assert findings([sql]), sql


@pytest.mark.parametrize("sql", WITHOUT_COLUMN)
def test_the_word_column_may_be_left_out(sql):
    assert findings([sql]), sql


@pytest.mark.parametrize("sql", ONE_OF_SEVERAL)
def test_nothing_is_excused_by_what_stands_beside_it(sql):
    assert findings([sql]), sql


@pytest.mark.parametrize("sql", LOCKS)
def test_what_locks_more_than_it_seems_to_is_found(sql):
    assert findings([sql]), sql


@pytest.mark.parametrize("sql", OLD_CODE)
def test_what_the_version_before_needs_stays_in_small_tables_too(sql):
    assert findings([sql]), sql


@pytest.mark.parametrize("sql", GOOD)
def test_what_is_short_or_concerns_small_tables_is_fine(sql):
    assert findings([sql]) == []


def test_a_constraint_is_validated_in_a_migration_without_a_transaction_around_it():
    steps = ["ALTER TABLE packet ADD CONSTRAINT c CHECK (x > 0) NOT VALID", "ALTER TABLE packet VALIDATE CONSTRAINT c"]
    assert findings(steps, atomic=False) == []
    assert findings(steps, atomic=True)


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("ALTER TABLE packet DROP COLUMN x", "packet.x"),
        ("ALTER TABLE inbox_worker RENAME x TO y", "inbox_worker.x"),
        ('DROP TABLE "inbox_pause" CASCADE', "inbox_pause"),
        ("ALTER TABLE inbox_worker RENAME TO y", "inbox_worker"),
    ],
)
def test_what_is_excused_may_go_and_nothing_else(sql, name):
    assert findings([sql], excused={name: "not used since then"}) == []
    assert findings([sql], excused={"inbox_worker.z": "not used since then"})
    assert findings([sql, "DROP TABLE inbox_tally"], excused={name: "not used since then"})


def test_no_lock_is_excused():
    assert findings(["ALTER TABLE packet ALTER x SET NOT NULL"], excused={"packet.x": "always written since then"})


def migration(*operations, atomic=True):
    made = Migration("x", "inbox")
    made.operations, made.atomic = list(operations), atomic
    return made


def python(**kwargs):
    return RunPython(RunPython.noop, **kwargs)


def test_python_in_one_transaction_is_found_wherever_it_stands():
    inside = SeparateDatabaseAndState(database_operations=[SeparateDatabaseAndState([python()])])
    assert python_in_one_transaction(migration(python()))
    assert python_in_one_transaction(migration(inside))
    assert python_in_one_transaction(migration(python(atomic=True), atomic=False))
    assert not python_in_one_transaction(migration(python(), inside, atomic=False))
    assert not python_in_one_transaction(migration(RunSQL("SELECT 1"), SeparateDatabaseAndState([], [python()])))


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
        assert findings(statements, migration.atomic, excused) == [], migration
        assert not excused or findings(statements, migration.atomic), f"{migration} needs no excuse"


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
    """Of the migrations that were made before there was any row, some would be refused now."""
    loader, _ = new_migrations()
    old = loader.disk_migrations[("inbox", "0003_presence")]
    found = " ".join(findings(loader.collect_sql([(old, False)])))
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
    assert findings(written_for(operation))


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
    assert findings(written_for(operation)) == []


def written_for(operation):
    state = MigrationLoader(connection).project_state()
    with connection.schema_editor(collect_sql=True) as editor:
        migration(operation).apply(state, editor, collect_sql=True)
    return editor.collected_sql


@pytest.mark.django_db
def test_every_table_of_the_linter_is_there():
    assert set(connection.introspection.table_names()) >= LARGE_TABLES
