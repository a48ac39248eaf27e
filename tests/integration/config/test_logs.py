"""Logs of requests and of database errors hold no value of a row or an address."""

import pytest
from django.db import DataError, IntegrityError, connection

from inbox.db.storable import error_text

MARKED = "MARKED-value"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("sql", "kept"),
    [
        (f"SELECT '{MARKED}'::int", "a text cannot be read as the type that is needed (SQLSTATE 22P02)"),
        (f"SELECT '{MARKED}\n'::timestamptz", "a text is no date or time (SQLSTATE 22007)"),
        ("SELECT 1 / 0", "division by zero (SQLSTATE 22012)"),
        (
            f"INSERT INTO inbox_audit (who, verb, reason, object) VALUES ('{MARKED}', '', NULL, '')",
            "a value is missing, table inbox_audit, column reason (SQLSTATE 23502)",
        ),
    ],
)
def test_of_a_database_error_a_text_of_ours_is_kept_with_the_names_of_what_it_is_about(sql, kept):
    with pytest.raises((DataError, IntegrityError)) as caught, connection.cursor() as cursor:
        cursor.execute(sql)
    assert error_text(caught.value) == kept
