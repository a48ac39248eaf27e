"""The form by which a person corrects the message of a job and requeues it.

Who sees it, sees the payload: a reveal, which is logged, so it takes a POST to open it.
"""

from types import SimpleNamespace

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.db import DataError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect

from inbox.content import content_of, has_content
from inbox.correct import correct
from inbox.job_page.act import attempt, go_to, job_to_act_on, page_of, refuse, show
from inbox.job_page.actions import CORRECT
from inbox.job_page.forms import MAX_CONTENT_LENGTH, CorrectionForm
from inbox.job_page.payload import indented
from inbox.models import InboxJob
from inbox.private import REVEAL, reveal
from inbox.requeue import requeueable

BY_BUTTON = "To open a message shows it, which is logged; use the button."
ACTION = SimpleNamespace(
    name="correct",
    label="Correct and requeue",
    does="Handles a corrected message in place of the one that came, which stays as it is.",
)


def can_correct(job: InboxJob) -> bool:
    """True if the job has a message, has not succeeded, and nobody works on it."""
    return has_content(job) and requeueable(InboxJob.objects.filter(pk=job.pk)).exists()


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
        return refuse(admin, request, job, ACTION.label)
    if not form.is_valid():
        before = request.POST.get("seen")
        return show(admin, request, job, ACTION, form, seen_before=before, can_do=can_correct(job))
    data, who = form.cleaned_data, request.user.get_username()
    verb = "correct"

    def deed(jobs: object) -> list[int]:
        return correct(jobs, text=data["content"], message_type=data["message_type"], who=who, reason=data["reason"])  # type: ignore[arg-type]

    try:
        refused = attempt(request, job, verb, data["reason"], deed)
    except DataError:
        form.add_error("content", "The database can't store this JSON.")
        return show(admin, request, job, ACTION, form, seen_before=request.POST.get("seen"))
    if refused is None:
        return go_to(admin, request, job, f"{ACTION.label}: done.")
    job.refresh_from_db()
    return show(admin, request, job, ACTION, form, refused=refused, can_do=can_correct(job))


def _offer(admin: ModelAdmin, request: HttpRequest, job: InboxJob) -> HttpResponse:
    content = content_of(job)
    text = content.handled if content else None
    if not can_correct(job) or text is None or len(text) > MAX_CONTENT_LENGTH:
        return refuse(admin, request, job, ACTION.label)
    reveal(request, f"job:{job.pk}", "to correct it")
    form = CorrectionForm(job=job, initial={"content": indented(text), "message_type": job.message_type})
    return show(admin, request, job, ACTION, form)
