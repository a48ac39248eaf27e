"""Submission: one sending of a form, by which a second click is told from another request with the same reason.

The form carries an id that is made when it is shown. The audit entry of what was done keeps that id and a digest of
all that was typed, never what was typed: the same id and digest is a second click, with another digest it is an edit.
docs/adr/0006 says why.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from django.db import connection

from inbox.models import InboxAudit


class Submission(NamedTuple):
    """Its fields are the names in the audit entry."""

    request_id: str
    request_sha256: str


def submission(request_id: str, typed: Mapping[str, Any]) -> Submission:
    """The submission of what was `typed` into the form with this id."""
    text = json.dumps(typed, default=str, sort_keys=True)
    return Submission(request_id, hashlib.sha256(text.encode()).hexdigest())


def request_id_of(text: str) -> str:
    """The id of a form, as the audit has it; a new one if `text` is not an id, so that it never is a second click."""
    try:
        return str(UUID(text))
    except ValueError:
        return str(uuid4())


def lock_submission(request_id: str) -> None:
    """Wait until no other transaction works on the same form, and have others wait until this one ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [request_id])


def earlier_digest(name: str, request_id: str) -> str | None:
    """The digest of what a form with this id did to the object `name`, such as `job:17`; None if it did nothing."""
    entries = InboxAudit.objects.filter(object=name, after__request_id=request_id)
    return entries.values_list("after__request_sha256", flat=True).first()
