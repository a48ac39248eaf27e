"""Logs of requests and of database errors hold no value of a row or an address."""

import pytest
from django.db import DataError, IntegrityError, connection

from inbox.db.storable import error_text

MARKED = "MARKED-value"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("sql", "kept"),
    [
        (f"SELECT '{MARKED}'::int", 'invalid input syntax for type integer: "…" (SQLSTATE 22P02)'),
        (f"SELECT 'a\"{MARKED}\"b'::int", 'invalid input syntax for type integer: "…" (SQLSTATE 22P02)'),
        (
            f"SELECT '{MARKED}\n'::timestamptz",
            'invalid input syntax for type timestamp with time zone: "…" (SQLSTATE 22007)',
        ),
        (f"SELECT '{{\"{MARKED}'::jsonb", "invalid input syntax for type json (SQLSTATE 22P02)"),
        ("SELECT 1 / 0", "division by zero (SQLSTATE 22012)"),
        (
            f"INSERT INTO inbox_audit (who, verb, reason, object) VALUES ('{MARKED}', '', NULL, '')",
            'null value in column "reason" of relation "inbox_audit" violates not-null constraint (SQLSTATE 23502)',
        ),
    ],
)
def test_of_a_database_error_the_first_line_is_kept_without_values(sql, kept):
    with pytest.raises((DataError, IntegrityError)) as caught, connection.cursor() as cursor:
        cursor.execute(sql)
    assert error_text(caught.value) == kept
