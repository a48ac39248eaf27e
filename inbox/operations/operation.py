"""Operation: something an operator can do to jobs. `apply` carries it out, the same way for all of them.

verbs.py declares them. Failure modes: somebody has a row locked at that moment. `apply` skips that job and its key
is not among those returned.
"""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from inbox.db.notify import notify
from inbox.engine.audit import job_changes, job_facts, reason_of, record, recorded_move
from inbox.events import Event, emit_on_commit
from inbox.models import InboxJob
from inbox.models.job import JobQuerySet
from inbox.operations.submission import Submission
from inbox.statuses import Status

OPERATE = "inbox.operate_job"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The subject of a form: `name` stands in URLs, `label` on buttons; `does` tells a person what will happen."""

    name: str
    label: str
    does: str
    permission: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Asked):
    """A declaration. Its functions take `who` and what the form asks for besides the reason, by name."""

    # "3 jobs requeued", and the button for them.
    past: str
    label_many: str = ""
    takes: tuple[Status, ...]
    # The new values of columns.
    changes: Callable[..., dict[str, Any]]
    permission: str = OPERATE
    # It may take jobs out of DEAD, which the database allows only to a recorded move.
    leaves_dead: bool = False
    # It makes jobs due that an idle worker should look for.
    notifies: bool = True
    # Columns that the audit keeps besides those of every change.
    audited: tuple[str, ...] = ()
    # Writes other rows that belong to a job, first argument its key; returns what the audit keeps of them.
    also_writes: Callable[..., Mapping[str, Any]] | None = None

    @property
    def verb(self) -> str:
        """Its name in the audit."""
        return self.name.replace("-", " ")

    def possible(self, jobs: JobQuerySet) -> JobQuerySet:
        """Those of `jobs` to which it can be done."""
        return jobs.filter(status__in=self.takes)


def apply(
    operation: Operation,
    jobs: JobQuerySet,
    *,
    who: str,
    reason: str,
    limit: int,
    submission: Submission | None = None,
    **asked: Any,
) -> list[int]:
    """Do it to at most `limit` of these jobs, in one transaction with their audit entries; returns their keys.

    Locks the jobs in key order and skips those that others hold, so it never waits for a worker. `asked` is what the
    operation needs besides the reason. Raises NoReason for a blank reason.
    """
    reason = reason_of(reason)
    with transaction.atomic():
        inbox_ids = operation.possible(jobs).lock_keys(limit)
        if not inbox_ids:
            return []
        before = job_facts(inbox_ids, *operation.audited)
        with recorded_move(reason) if operation.leaves_dead else nullcontext():
            locked = operation.possible(InboxJob.objects.filter(inbox_id__any_of=inbox_ids))
            locked.update(**operation.changes(who=who, **asked), updated_at=Now())
        after = job_facts(inbox_ids, *operation.audited)
        for inbox_id, facts in after.items():
            facts |= operation.also_writes(inbox_id, who=who, **asked) if operation.also_writes else {}
            facts |= submission._asdict() if submission else {}
        record(job_changes(before, after), who=who, verb=operation.verb, reason=reason)
        if operation.notifies:
            notify()
        emit_on_commit(Event.OPERATED, verb=operation.verb, who=who, count=len(inbox_ids))
    return inbox_ids
