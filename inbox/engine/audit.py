"""Audit: appends to inbox_audit who did what, when and why. A trigger keeps the table append-only.

An entry is written in the transaction of what it records, so that neither exists without the other. It holds facts
about the status only, never a payload or a part of one.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import TextField
from django.db.models.functions import Cast

from inbox.db.storable import storable
from inbox.models import InboxAudit, InboxJob

# The audit keeps these columns of every job, and next_attempt_at.
FACTS = ("status", "attempt_count", "error_kind")


class NoReason(ValueError):
    """a reason is needed"""


def reason_of(text: str) -> str:
    """The reason as it is kept. Raises NoReason for a blank one."""
    reason = storable(text).strip()
    if not reason:
        raise NoReason("a reason is needed")
    return reason


class Change(NamedTuple):
    """A change of one object, such as `job:17`."""

    object: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


def job_facts(inbox_ids: Iterable[int], *more: str) -> dict[int, dict[str, Any]]:
    """The facts of these jobs as they are now, by key; with the values of `more` columns."""
    rows = (
        InboxJob.objects.filter(inbox_id__any_of=inbox_ids)
        .order_by("inbox_id")
        # As text: `infinity` is a valid time in the database, and Python has none.
        .annotate(due=Cast("next_attempt_at", TextField()))
        .values("inbox_id", "due", *FACTS, *more)
    )
    return {row.pop("inbox_id"): row | {"next_attempt_at": row.pop("due")} for row in rows}


def job_changes(before: Mapping[int, Mapping[str, Any]], after: Mapping[int, Mapping[str, Any]]) -> list[Change]:
    """One change per job, from what `job_facts` said before and after."""
    return [Change(f"job:{inbox_id}", before.get(inbox_id), facts) for inbox_id, facts in after.items()]


def record(changes: Iterable[Change], *, who: str, verb: str, reason: str) -> None:
    """Append one entry per change, in one statement of the caller's transaction."""
    who, reason = storable(who, 200), storable(reason)
    InboxAudit.objects.bulk_create(
        InboxAudit(who=who, verb=verb, reason=reason, object=name, before=before, after=after)
        for name, before, after in changes
    )


@contextmanager
def recorded_move(reason: str) -> Iterator[None]:
    """Let the statements inside move jobs out of DEAD; for the rest of the transaction that is refused again."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('inbox.recorded_move', %s, true)", [reason])
        yield
        cursor.execute("SELECT set_config('inbox.recorded_move', '', true)")
