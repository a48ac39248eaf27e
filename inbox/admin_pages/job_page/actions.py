"""What operators can do to jobs, on one or on many. The verbs themselves are files of `inbox`, and guard everything."""

from collections.abc import Callable
from functools import partial
from typing import Any

from inbox.admin_pages.job_page.forms import ReasonForm, TimeForm
from inbox.models.job import JobQuerySet
from inbox.operations.mark_dead import endable, mark_dead
from inbox.operations.release_lease import releasable, release_lease
from inbox.operations.reschedule import reschedulable, reschedule
from inbox.operations.submission import Submission
from inbox.operations.verbs import requeue, requeueable

OPERATE = "inbox.operate_job"
CORRECT = "inbox.correct_job"


class Action:
    """`does` says to the person what will happen; `verb` is the one of the audit, `did` what has been done."""

    name: str
    label: str
    verb: str
    did: str
    does: str
    permission = OPERATE
    form: type[ReasonForm] = ReasonForm

    def possible(self, jobs: JobQuerySet) -> JobQuerySet:
        """Those of `jobs` to which it can be done."""
        raise NotImplementedError

    def deed(self, data: dict[str, Any], who: str, submission: Submission | None = None) -> Callable[..., list[int]]:
        """The verb with all it needs but the jobs and a limit; it returns the keys that it took."""
        raise NotImplementedError


class Requeue(Action):
    name, label, verb, did = "requeue", "Requeue", "requeue", "requeued"
    does = "Sends it back to NEW: it begins anew, with all attempts, at once."

    def possible(self, jobs: JobQuerySet) -> JobQuerySet:
        return requeueable(jobs)

    def deed(self, data: dict[str, Any], who: str, submission: Submission | None = None) -> Callable[..., list[int]]:
        return partial(requeue, who=who, reason=data["reason"], submission=submission)


class Reschedule(Action):
    name, label, verb, did = "reschedule", "Change time", "reschedule", "rescheduled"
    does = "Sets when it is tried next; nothing else changes."
    form = TimeForm

    def possible(self, jobs: JobQuerySet) -> JobQuerySet:
        return reschedulable(jobs)

    def deed(self, data: dict[str, Any], who: str, submission: Submission | None = None) -> Callable[..., list[int]]:
        return partial(reschedule, to=data["to"], who=who, reason=data["reason"], submission=submission)


class MarkDead(Action):
    name, label, verb, did = "mark-dead", "Mark dead", "mark dead", "marked dead"
    does = "Ends it without success; only a requeue brings it back."

    def possible(self, jobs: JobQuerySet) -> JobQuerySet:
        return endable(jobs)

    def deed(self, data: dict[str, Any], who: str, submission: Submission | None = None) -> Callable[..., list[int]]:
        return partial(mark_dead, who=who, reason=data["reason"], submission=submission)


class ReleaseLease(Action):
    name, label, verb, did = "release-lease", "Release lease", "release lease", "released"
    does = "Takes it from the worker that has it: NEW with its attempt, and alone the next time."

    def possible(self, jobs: JobQuerySet) -> JobQuerySet:
        return releasable(jobs)

    def deed(self, data: dict[str, Any], who: str, submission: Submission | None = None) -> Callable[..., list[int]]:
        return partial(release_lease, who=who, reason=data["reason"], submission=submission)


ACTIONS: tuple[Action, ...] = (Requeue(), Reschedule(), MarkDead(), ReleaseLease())
