"""The form by which a person corrects the message of a job and requeues it.

Who sees it, sees the payload: a reveal, which is logged, so it takes a POST to open it. What can go wrong: the source
row is changed or deleted after the look here; then the job ends as ignored, as if it had not been corrected.
"""

from types import SimpleNamespace

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.db import DataError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect

from inbox.admin_pages.guarded_form import (
    NotPossible,
    attempt,
    go_to,
    job_to_act_on,
    page_of,
    refuse,
    show,
    show_invalid,
    show_refused,
    submission_of,
)
from inbox.admin_pages.indent import indented
from inbox.admin_pages.job_page.actions import CORRECT
from inbox.admin_pages.job_page.content import Content, content_of, has_content
from inbox.admin_pages.job_page.forms import MAX_CONTENT_LENGTH, CorrectionForm
from inbox.admin_pages.privacy import REVEAL, reveal
from inbox.models import InboxJob
from inbox.models.job import JobQuerySet
from inbox.operations.correct import correct
from inbox.operations.verbs import requeueable

BY_BUTTON = "To open a message shows it, which is logged; use the button."
ACTION = SimpleNamespace(
    name="correct",
    label="Correct and requeue",
    does="Handles a corrected message in place of the one that came, which stays as it is.",
)


def why_not(job: InboxJob, content: Content | None) -> str | None:
    """Why its message, `content`, can't be corrected now; None if it can."""
    if content is None:
        return "its source has no messages"
    if not requeueable(InboxJob.objects.filter(pk=job.pk)).exists():
        return f"the job is {job.status}"
    if content.handled is not None and len(content.handled) > MAX_CONTENT_LENGTH:
        return f"the message has {len(content.handled):,} characters, and the form takes {MAX_CONTENT_LENGTH:,}"
    return content.why_ignored


def correct_view(admin: ModelAdmin, request: HttpRequest, inbox_id: int) -> HttpResponse:
    """A POST of `open` shows the message as it is handled now; any other keeps the corrected one. GET leads back."""
    job = job_to_act_on(admin, request, inbox_id, CORRECT)
    if not request.user.has_perm(REVEAL):
        raise PermissionDenied
    if request.method in ("GET", "HEAD"):
        admin.message_user(request, BY_BUTTON, messages.WARNING)
        return HttpResponseRedirect(page_of(job))
    if request.method != "POST":
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    if "open" in request.POST:
        return _offer(admin, request, job)
    form = CorrectionForm(request.POST, job=job)
    if not has_content(job):
        return refuse(admin, request, job, ACTION.label, "its source has no messages")
    if not form.is_valid():
        return show_invalid(admin, request, job, ACTION, form, why_not(job, content_of(job)))
    sent = submission_of(request, "correct", form.cleaned_data)
    who, data = request.user.get_username(), form.cleaned_data

    def deed(jobs: JobQuerySet) -> list[int]:
        content = content_of(job)
        if content and content.why_ignored:
            raise NotPossible(content.why_ignored)
        type_, reason = data["message_type"], data["reason"]
        return correct(jobs, text=data["content"], message_type=type_, who=who, reason=reason, submission=sent)

    try:
        tried = attempt(request, job, sent, deed)
    except DataError:
        form.add_error("content", "The database can't store this JSON.")
        return show_invalid(admin, request, job, ACTION, form, None)
    if tried.refused is None:
        return go_to(admin, request, job, f"{ACTION.label}: done.")
    job.refresh_from_db()
    return show_refused(admin, request, job, ACTION, form, tried, why_not(job, content_of(job)))


def _offer(admin: ModelAdmin, request: HttpRequest, job: InboxJob) -> HttpResponse:
    content = content_of(job)
    if impossible := why_not(job, content):
        return refuse(admin, request, job, ACTION.label, impossible)
    reveal(request, f"job:{job.pk}", "to correct it")
    text = indented(content.handled, MAX_CONTENT_LENGTH) if content and content.handled else ""
    form = CorrectionForm(job=job, initial={"content": text, "message_type": job.message_type})
    return show(admin, request, job, ACTION, form)
