"""Corrections: what a person put in place of the message of a job. The original is kept as it came.

The newest correction counts; handlers read it instead of the payload of the source row. Failure modes: the
correction is as bad as the original. Then the job dies again, and can be corrected again.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from inbox.db.storable import storable

# In SQL, so that the JSON keeps its text: Python would round numbers.
SELECT_NEWEST_CORRECTIONS = """
SELECT DISTINCT ON (job_id) job_id, content::text, made_at
  FROM inbox_correction WHERE job_id = ANY(%s) ORDER BY job_id, id DESC
"""
INSERT_CORRECTION = "INSERT INTO inbox_correction (job_id, content, made_by) VALUES (%s, %s::jsonb, %s)"


class Correction(NamedTuple):
    """A corrected message as JSON text, and when it was made."""

    text: str
    made_at: datetime


def newest_corrections(inbox_ids: Sequence[int]) -> dict[int, Correction]:
    """The newest correction of each of these jobs that has one, by key."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_NEWEST_CORRECTIONS, [list(inbox_ids)])
        return {inbox_id: Correction(*row) for inbox_id, *row in cursor.fetchall()}


def corrected_texts(inbox_ids: Sequence[int]) -> dict[int, str]:
    """The text of the newest correction of each of these jobs that has one, by key."""
    return {inbox_id: correction.text for inbox_id, correction in newest_corrections(inbox_ids).items()}


def add_correction(inbox_id: int, text: str, *, who: str) -> None:
    """Keep `text`, JSON, as the newest correction of the job. Raises DataError if it is not JSON."""
    with connection.cursor() as cursor:
        cursor.execute(INSERT_CORRECTION, [inbox_id, text, storable(who, 200)])
