"""Carries out an action on one job: GET shows its form and changes nothing, POST does it.

What can go wrong: the job was claimed, finished or changed by somebody else since the form was shown. Then nothing is
done, and the form is shown again with all that was typed and with the job as it is now.
"""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse

from inbox.job_page.actions import Action
from inbox.job_page.seen import as_seen, seen
from inbox.lease import lease_of
from inbox.models import InboxAudit, InboxJob
from inbox.storable import storable

# lock_not_available, deadlock_detected: somebody has the row just now.
BUSY = frozenset(["55P03", "40P01"])
CHANGED = "Nothing was done: the job has changed meanwhile."
IN_USE = "Nothing was done: a worker has the job locked just now; its transaction has to end first."
TEMPLATE = "admin/inbox/job_action.html"


def act(admin: ModelAdmin, request: HttpRequest, inbox_id: int, action: Action) -> HttpResponse:
    """Answer a request for this action on a job."""
    job = job_to_act_on(admin, request, inbox_id, action.permission)
    can_do = action.possible(InboxJob.objects.filter(pk=job.pk)).exists()
    if request.method in ("GET", "HEAD"):
        if not can_do:
            return refuse(admin, request, job, action.label)
        return show(admin, request, job, action, action.form())
    if request.method != "POST":
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    form = action.form(request.POST)
    if not form.is_valid():
        return show(admin, request, job, action, form, seen_before=request.POST.get("seen"), can_do=can_do)
    deed = action.deed(form.cleaned_data, request.user.get_username())
    refused = attempt(request, job, action.verb, form.cleaned_data["reason"], lambda jobs: deed(jobs, limit=1))
    if refused is None:
        return go_to(admin, request, job, f"{action.label}: done.")
    job.refresh_from_db()
    can_do = action.possible(InboxJob.objects.filter(pk=job.pk)).exists()
    return show(admin, request, job, action, form, refused=refused, can_do=can_do)


def attempt(request: HttpRequest, job: InboxJob, verb: str, reason: str, deed: Callable[..., list[int]]) -> str | None:
    """Do it to the job as the person saw it; returns None, or why nothing was done. A second click is no refusal."""
    text = request.POST.get("seen", "")
    try:
        if deed(as_seen(job.pk, text)):
            return None
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) not in BUSY:
            raise
        return IN_USE
    last = InboxAudit.objects.filter(object=f"job:{job.pk}").order_by("-pk").first()
    this = (storable(request.user.get_username(), 200), verb, storable(reason).strip())
    if last and (last.who, last.verb, last.reason) == this and _status(text) == (last.before or {}).get("status"):
        return None
    return IN_USE if as_seen(job.pk, text).exists() else CHANGED


def _status(text: str) -> str:
    return text.partition(" ")[0]


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


def refuse(admin: ModelAdmin, request: HttpRequest, job: InboxJob, label: str) -> HttpResponse:
    """Back to the job's page: as the job is, there is no such thing to do."""
    admin.message_user(request, f"{label} is not possible now: the job is {job.status}.", messages.WARNING)
    return HttpResponseRedirect(page_of(job))


def show(
    admin: ModelAdmin,
    request: HttpRequest,
    job: InboxJob,
    action: Any,
    form: Any,
    *,
    seen_before: str | None = None,
    refused: str | None = None,
    can_do: bool = True,
) -> HttpResponse:
    """The form, with the job as it is now."""
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
        "seen": seen(job) if seen_before is None else seen_before,
        "refused": refused,
        "can_do": can_do,
    }
    return TemplateResponse(request, TEMPLATE, context, status=409 if refused else 200)
