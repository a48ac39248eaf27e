"""A server in German, French or Spanish: what is kept of its errors is ours, in English, and quotes nothing."""

import psycopg
import pytest

from inbox.db.storable import error_text
from tests.support.servers.localized import LANGUAGES, LocalizedServer

MARKED = "MARKED-value"
TABLE = """
CREATE TABLE kept (id int PRIMARY KEY, name text NOT NULL, size int CONSTRAINT small CHECK (size < 9));
CREATE SCHEMA odd; CREATE TABLE odd.child (id int CONSTRAINT of_kept REFERENCES kept);
INSERT INTO kept VALUES (1, 'one', 1)
"""
# With the server's own line, which is another one in each language and quotes the value.
REFUSED = [
    (f"SELECT '{MARKED}'::int", "a text cannot be read as the type that is needed (SQLSTATE 22P02)"),
    (f"SELECT '{MARKED}'::timestamptz", "a text is no date or time (SQLSTATE 22007)"),
    (f"SELECT '{{\"{MARKED}'::jsonb", "a text cannot be read as the type that is needed (SQLSTATE 22P02)"),
    (f"SELECT 1 '{MARKED}' 2", "the database does not understand the statement (SQLSTATE 42601)"),
    (f"SELECT to_date('{MARKED}', 'YYYY')", "a text is no date or time (SQLSTATE 22007)"),
    ("SELECT '99999999999'::int", "a number is out of range (SQLSTATE 22003)"),
    (
        f"INSERT INTO kept VALUES (1, '{MARKED}', 2)",
        "a row with this key is there already, table kept, constraint kept_pkey (SQLSTATE 23505)",
    ),
    ("INSERT INTO kept VALUES (2, NULL, 2)", "a value is missing, table kept, column name (SQLSTATE 23502)"),
    (
        f"INSERT INTO kept VALUES (2, '{MARKED}', 10)",
        "a check or a guard trigger refused it, table kept, constraint small (SQLSTATE 23514)",
    ),
    (
        "INSERT INTO odd.child VALUES (7)",
        "a row refers to one that is not there, schema odd, table child, constraint of_kept (SQLSTATE 23503)",
    ),
    (f'SELECT "{MARKED}"', "a column is missing; are all migrations applied? (SQLSTATE 42703)"),
    (f'SELECT * FROM "{MARKED}"', "a table is missing; are all migrations applied? (SQLSTATE 42P01)"),
    (f"DO $$ BEGIN RAISE '{MARKED}'; END $$", "a function in the database refused it (SQLSTATE P0001)"),
    (f"DO $$ BEGIN RAISE '{MARKED}' USING ERRCODE = 'ZZ999'; END $$", "the database refused it (SQLSTATE ZZ999)"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = LocalizedServer(tmp_path_factory.mktemp("localized"))
    server.start()
    try:
        with server.connect(LANGUAGES[0]) as raw:
            raw.execute(TABLE)
        yield server
    finally:
        server.stop()


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_kept_of_an_error_is_ours_in_any_language(server, language):
    with server.connect(language) as raw:
        lines = set()
        for statement, kept in REFUSED:
            with pytest.raises(psycopg.Error) as caught:
                raw.execute(statement)
            assert error_text(caught.value) == kept, statement
            lines.add(caught.value.diag.message_primary)
        assert not any("does not exist" in line for line in lines), "the server speaks English"
        assert any(MARKED in line for line in lines), "the server's own lines quote values"
