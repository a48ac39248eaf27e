"""Carries out an action on one job: GET shows its form and changes nothing, POST does it.

What can go wrong: the job was claimed, finished or changed by somebody else since the form was shown. Then nothing is
done, and the form is shown again with all that was typed and with the job as it is now. A second click is known by the
id that the form was given and by a digest of all that was typed: with other entries it is an edit, which is told that
it came too late.
"""

from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import uuid4

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.db import OperationalError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse

from inbox.admin_pages.job_page.actions import Action
from inbox.admin_pages.job_page.seen import as_seen, seen
from inbox.engine.audit import earlier
from inbox.models import InboxJob
from inbox.monitoring.lease import lease_of
from inbox.operations.submission import Submission, known_id, lock, submission

# lock_not_available, deadlock_detected: somebody has the row just now.
BUSY = frozenset(["55P03", "40P01"])
CHANGED = "Nothing was done: the job has changed meanwhile."
IN_USE = "Nothing was done: a worker has the job locked just now; its transaction has to end first."
CARRIED_OUT = "Nothing was done now: this form was submitted before, with other entries, and that was carried out."
TEMPLATE = "admin/inbox/job_action.html"


class NotPossible(Exception):
    """As things are now there is no such thing to do; the text says why."""


class Tried(NamedTuple):
    """What became of a submission: `refused` says why nothing was done, None if it was. `keeps_id`: the form shown
    again is the same one, of which nothing was carried out yet.
    """

    refused: str | None
    keeps_id: bool = True


def act(admin: ModelAdmin, request: HttpRequest, inbox_id: int, action: Action) -> HttpResponse:
    """Answer a request for this action on a job."""
    job = job_to_act_on(admin, request, inbox_id, action.permission)
    impossible = why_not(action, job)
    if request.method in ("GET", "HEAD"):
        if impossible:
            return refuse(admin, request, job, action.label, impossible)
        return show(admin, request, job, action, action.form())
    if request.method != "POST":
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    form = action.form(request.POST)
    if not form.is_valid():
        return show_invalid(admin, request, job, action, form, impossible)
    sent = submission_of(request, action.verb, form.cleaned_data)
    deed = action.deed(form.cleaned_data, request.user.get_username(), sent)
    tried = attempt(request, job, sent, lambda jobs: deed(jobs, limit=1))
    if tried.refused is None:
        return go_to(admin, request, job, f"{action.label}: done.")
    job.refresh_from_db()
    return show_refused(admin, request, job, action, form, tried, why_not(action, job))


def why_not(action: Action, job: InboxJob) -> str | None:
    """Why the action is not possible; None if it is."""
    return None if action.possible(InboxJob.objects.filter(pk=job.pk)).exists() else f"the job is {job.status}"


def submission_of(request: HttpRequest, verb: str, typed: dict[str, Any]) -> Submission | None:
    """What this request submits: who wants what, with all that was typed."""
    wanted = {**typed, "verb": verb, "who": request.user.get_username()}
    return submission(request.POST.get("request_id", ""), wanted)


def attempt(request: HttpRequest, job: InboxJob, sent: Submission | None, deed: Callable[..., list[int]]) -> Tried:
    """Do it to the job as the person saw it, unless the same form has done something already."""
    try:
        with transaction.atomic():
            if sent:
                # Of two clicks at once the second one waits for the first, and finds what that did.
                lock(sent)
            return _tried_before(job, sent) or _tried_now(job, request.POST.get("seen", ""), deed)
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) not in BUSY:
            raise
        return Tried(IN_USE)
    except NotPossible as error:
        return Tried(f"Nothing was done: {error}.")


def _tried_now(job: InboxJob, text: str, deed: Callable[..., list[int]]) -> Tried:
    if deed(as_seen(job.pk, text)):
        return Tried(None)
    return Tried(IN_USE if as_seen(job.pk, text).exists() else CHANGED)


def _tried_before(job: InboxJob, sent: Submission | None) -> Tried | None:
    entry = earlier(f"job:{job.pk}", sent.request_id) if sent else None
    if sent is None or entry is None:
        return None
    is_same = (entry.after or {}).get("request_sha256") == sent.request_sha256
    return Tried(None) if is_same else Tried(CARRIED_OUT, keeps_id=False)


def job_to_act_on(admin: ModelAdmin, request: HttpRequest, inbox_id: int, permission: str) -> InboxJob:
    """The job. Raises PermissionDenied, or Http404."""
    if not request.user.has_perm(permission) or not admin.has_view_permission(request):
        raise PermissionDenied
    return get_object_or_404(InboxJob, pk=inbox_id)


def page_of(job: InboxJob) -> str:
    return reverse("admin:inbox_inboxjob_change", args=[job.pk])


def go_to(admin: ModelAdmin, request: HttpRequest, job: InboxJob, text: str) -> HttpResponse:
    """Back to the job's page, with a message."""
    job.refresh_from_db()
    admin.message_user(request, f"{text} The job is {job.status}.", messages.SUCCESS)
    return HttpResponseRedirect(page_of(job))


def refuse(admin: ModelAdmin, request: HttpRequest, job: InboxJob, label: str, why: str) -> HttpResponse:
    """Back to the job's page, saying why there is no such thing to do."""
    admin.message_user(request, f"{label} is not possible now: {why}.", messages.WARNING)
    return HttpResponseRedirect(page_of(job))


def show_invalid(
    admin: ModelAdmin, request: HttpRequest, job: InboxJob, action: Any, form: Any, impossible: str | None
) -> HttpResponse:
    """The same form again, to be mended: what the person saw, and decides upon, stays."""
    same = {"seen": request.POST.get("seen", ""), "request_id": _id_of(request)}
    return show(admin, request, job, action, form, impossible=impossible, **same)


def show_refused(
    admin: ModelAdmin, request: HttpRequest, job: InboxJob, action: Any, form: Any, tried: Tried, impossible: str | None
) -> HttpResponse:
    """The form with all that was typed and the job as it is now: to submit it is to decide upon that."""
    same = {"request_id": _id_of(request)} if tried.keeps_id else {}
    return show(admin, request, job, action, form, refused=tried.refused, impossible=impossible, **same)


def _id_of(request: HttpRequest) -> str:
    return known_id(request.POST.get("request_id", "")) or str(uuid4())


def show(
    admin: ModelAdmin,
    request: HttpRequest,
    job: InboxJob,
    action: Any,
    form: Any,
    *,
    refused: str | None = None,
    impossible: str | None = None,
    **same: str,
) -> HttpResponse:
    """The form, with the job as it is now; `same` is what it has of an earlier one, instead of a new."""
    context = {
        **admin.admin_site.each_context(request),
        "title": f"Job {job.pk}: {action.label.lower()}",
        "opts": admin.opts,
        "action": action,
        "form": form,
        "media": admin.media + form.media,
        "job": job,
        "lease": lease_of(job),
        "page": page_of(job),
        "seen": seen(job),
        "request_id": str(uuid4()),
        "refused": refused,
        "impossible": impossible,
        **same,
    }
    return TemplateResponse(request, TEMPLATE, context, status=409 if refused else 200)
