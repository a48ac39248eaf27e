"""No migration stops a running system: a linter reads the SQL of each."""

import pytest
from django.db import connection
from django.db.migrations import RunPython
from django.db.migrations.loader import MigrationLoader

from config.migration_lint import BEFORE_ANY_ROW, LARGE_TABLES, findings

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
]


@pytest.mark.parametrize("sql", BAD)
def test_what_locks_a_large_table_or_takes_something_away_is_found(sql):
    assert findings([sql]), sql


@pytest.mark.parametrize("sql", GOOD)
def test_what_is_short_or_concerns_small_tables_is_fine(sql):
    assert findings([sql]) == []


def new_migrations():
    loader = MigrationLoader(connection, replace_migrations=False)
    return loader, [
        migration
        for (app, name), migration in sorted(loader.disk_migrations.items())
        if app in BEFORE_ANY_ROW and int(name[:4]) > BEFORE_ANY_ROW[app]
    ]


@pytest.mark.django_db
def test_no_migration_stops_a_running_system():
    loader, migrations = new_migrations()
    for migration in migrations:
        statements = loader.collect_sql([(migration, False)])
        assert findings(statements) == [], migration
        if migration.atomic:
            assert not any(isinstance(step, RunPython) for step in migration.operations), (
                f"{migration}: RunPython in one transaction; set atomic = False and go in batches"
            )


@pytest.mark.django_db
def test_the_linter_reads_what_django_writes(monkeypatch):
    """Of the migrations that were made before there was any row, some would be refused now."""
    loader, _ = new_migrations()
    old = loader.disk_migrations[("inbox", "0003_presence")]
    found = " ".join(findings(loader.collect_sql([(old, False)])))
    assert "AddIndexConcurrently" in found
    assert "AddConstraintNotValid" in found


@pytest.mark.django_db
def test_every_table_of_the_linter_is_there():
    assert set(connection.introspection.table_names()) >= LARGE_TABLES
