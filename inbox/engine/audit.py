"""Audit: appends to inbox_audit who did what, when and why. A trigger keeps the table append-only.

In the transaction of the deed, so that neither is ever there without the other. Holds facts about the status only,
never a payload nor a part of one.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, TypedDict

from django.db import connection
from django.db.models import TextField
from django.db.models.functions import Cast

from inbox.db.storable import storable
from inbox.models import InboxAudit, InboxJob


class Facts(TypedDict):
    """What the audit keeps of a job."""

    status: str
    attempt_count: int
    error_kind: str | None
    next_attempt_at: str


class NoReason(ValueError):
    """a reason is needed"""


def reason_of(text: str) -> str:
    """The reason as it is kept. Raises NoReason for a blank one."""
    reason = storable(text).strip()
    if not reason:
        raise NoReason("a reason is needed")
    return reason


class Change(NamedTuple):
    """What was done to one object, such as `job:17`."""

    object: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


def job_facts(inbox_ids: Iterable[int]) -> dict[int, Facts]:
    """The facts of these jobs as they are now, by key."""
    rows = (
        InboxJob.objects.filter(inbox_id__any_of=inbox_ids)
        .order_by("inbox_id")
        # As text: `infinity` is a good time in the database and none in Python.
        .annotate(due=Cast("next_attempt_at", TextField()))
        .values_list("inbox_id", "status", "attempt_count", "error_kind", "due")
    )
    return {
        inbox_id: Facts(status=status, attempt_count=attempts, error_kind=error_kind, next_attempt_at=due)
        for inbox_id, status, attempts, error_kind, due in rows
    }


def job_changes(before: dict[int, Facts], after: dict[int, Facts]) -> list[Change]:
    """One change per job, from what `job_facts` said before and after."""
    return [Change(f"job:{inbox_id}", before.get(inbox_id), facts) for inbox_id, facts in after.items()]


def record(
    changes: Iterable[Change], *, who: str, verb: str, reason: str, submission: Mapping[str, str] | None = None
) -> int:
    """Append one entry per change, in one statement of the caller's transaction; returns how many.

    `submission` is that of the form by which it was asked for; each entry keeps it with what is there after.
    """
    who, reason = storable(who, 200), storable(reason)
    if submission:
        changes = [change._replace(after={**(change.after or {}), **submission}) for change in changes]
    entries = [
        InboxAudit(who=who, verb=verb, reason=reason, object=name, before=before, after=after)
        for name, before, after in changes
    ]
    InboxAudit.objects.bulk_create(entries)
    return len(entries)


def earlier(name: str, request_id: str) -> InboxAudit | None:
    """The entry of what a submission with this id did to the object `name`, if it did something."""
    return InboxAudit.objects.filter(object=name, after__request_id=request_id).first()


@contextmanager
def recorded_move(reason: str) -> Iterator[None]:
    """Opens the door out of DEAD for the statements inside; the rest of the transaction finds it closed again."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('inbox.recorded_move', %s, true)", [reason])
        yield
        cursor.execute("SELECT set_config('inbox.recorded_move', '', true)")
