"""Submission: one sending of a form, by which a second click is known from another wish with the same reason.

The form carries an id that is made when it is shown. The audit entry of what was done keeps that id and a digest of
all that was typed, never what was typed: the same id and digest is a second click, with another digest it is an edit.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection


class Submission(NamedTuple):
    """Its fields are the names in the audit entry."""

    request_id: str
    request_sha256: str


def submission(request_id: str, typed: Mapping[str, Any]) -> Submission | None:
    """The submission of what was `typed`; None if `request_id` is no id, as then no second click can be known."""
    known = known_id(request_id)
    if known is None:
        return None
    text = json.dumps(typed, default=str, sort_keys=True)
    return Submission(known, hashlib.sha256(text.encode()).hexdigest())


def lock(sent: Submission) -> None:
    """Wait until no other transaction works on the same submission, and have others wait until this one ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [sent.request_id])


def known_id(text: str) -> str | None:
    """The id as the audit has it, or None."""
    try:
        return str(UUID(text))
    except ValueError:
        return None
