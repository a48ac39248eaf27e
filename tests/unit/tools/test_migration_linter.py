"""No migration stops a running system: a linter reads the SQL of each."""

import pytest
from django.db.migrations import Migration, RunPython, RunSQL, SeparateDatabaseAndState

from tools.migration_linter.linter import find_problems
from tools.migration_linter.python_steps import python_in_one_transaction

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
    assert find_problems([sql]), sql


@pytest.mark.parametrize("sql", EMBEDDED)
def test_a_statement_inside_of_another_is_found(sql):
    assert find_problems([sql]), sql


@pytest.mark.parametrize("sql", QUALIFIED)
def test_a_table_is_known_however_it_is_named(sql):
    assert find_problems([sql]), sql


@pytest.mark.parametrize("sql", WITHOUT_COLUMN)
def test_the_word_column_may_be_left_out(sql):
    assert find_problems([sql]), sql


@pytest.mark.parametrize("sql", ONE_OF_SEVERAL)
def test_nothing_is_excused_by_what_stands_beside_it(sql):
    assert find_problems([sql]), sql


@pytest.mark.parametrize("sql", LOCKS)
def test_what_locks_more_than_it_seems_to_is_found(sql):
    assert find_problems([sql]), sql


@pytest.mark.parametrize("sql", OLD_CODE)
def test_what_the_version_before_needs_stays_in_small_tables_too(sql):
    assert find_problems([sql]), sql


@pytest.mark.parametrize("sql", GOOD)
def test_what_is_short_or_concerns_small_tables_is_fine(sql):
    assert find_problems([sql]) == []


def test_a_constraint_is_validated_in_a_migration_without_a_transaction_around_it():
    steps = ["ALTER TABLE packet ADD CONSTRAINT c CHECK (x > 0) NOT VALID", "ALTER TABLE packet VALIDATE CONSTRAINT c"]
    assert find_problems(steps, atomic=False) == []
    assert find_problems(steps, atomic=True)


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
    assert find_problems([sql], excused={name: "not used since then"}) == []
    assert find_problems([sql], excused={"inbox_worker.z": "not used since then"})
    assert find_problems([sql, "DROP TABLE inbox_tally"], excused={name: "not used since then"})


def test_no_lock_is_excused():
    assert find_problems(["ALTER TABLE packet ALTER x SET NOT NULL"], excused={"packet.x": "always written since then"})


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
