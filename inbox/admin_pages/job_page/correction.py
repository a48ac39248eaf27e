"""The form by which a person corrects the message of a job and requeues it.

It shows the payload: a reveal, which is logged, so it takes a POST to open it. Failure modes: the source row is
changed or deleted after the check here. Then the job ends as ignored, as if it had not been corrected.
"""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DataError
from django.http import HttpRequest, HttpResponse

from inbox.admin_pages.guarded_form import Refused
from inbox.admin_pages.indent import indented
from inbox.admin_pages.job_page.content import Content, content_of
from inbox.admin_pages.job_page.forms import MAX_CONTENT_LENGTH, CorrectionForm
from inbox.admin_pages.job_page.job_form import JobForm
from inbox.admin_pages.privacy import REVEAL, reveal
from inbox.admin_pages.read_only import ReadOnlyAdmin
from inbox.models import InboxJob
from inbox.operations.operation import Asked
from inbox.operations.submission import Submission
from inbox.operations.verbs import CORRECT

BY_BUTTON = "Opening a message reveals it, which is logged. Please use the button."
NOT_STORABLE = {"content": "The database can't store this JSON."}


def why_not(job: InboxJob, content: Content | None) -> str | None:
    """Why its message, `content`, can't be corrected now; None if it can."""
    if content is None:
        return "its source has no messages"
    if job.status not in CORRECT.takes:
        return f"the job is {job.status}"
    if content.handled is not None and len(content.handled) > MAX_CONTENT_LENGTH:
        return f"the message has {len(content.handled):,} characters, and the form takes {MAX_CONTENT_LENGTH:,}"
    return content.why_ignored


class CorrectJobForm(JobForm):
    """A POST of `open` shows the message as it is handled now; any other keeps the corrected one. GET leads back."""

    def __init__(self, admin: ReadOnlyAdmin, request: HttpRequest, pk: int, asked: Asked) -> None:
        if not request.user.has_perm(REVEAL):
            raise PermissionDenied
        super().__init__(admin, request, pk, asked)

    def read(self) -> None:
        super().read()
        self.content = content_of(self.row)

    def why_not(self) -> str | None:
        return why_not(self.row, self.content)

    def make_form(self, data: Any = None) -> forms.Form:
        text = self.content.handled if self.content and data is None else None
        shown = {"content": indented(text, MAX_CONTENT_LENGTH) if text else "", "message_type": self.row.message_type}
        return CorrectionForm(data, job=self.row, initial=shown)

    def offer(self) -> HttpResponse:
        return self.leave(BY_BUTTON, messages.WARNING)

    def submit(self) -> HttpResponse:
        if "open" not in self.request.POST and self.content is not None:
            return super().submit()
        if self.why_not() is None:
            reveal(self.request, f"job:{self.row.pk}", "to correct it")
        return super().offer()

    def perform(self, typed: dict[str, Any], sent: Submission) -> bool:
        if self.content and self.content.why_ignored:
            raise Refused(self.content.why_ignored)
        try:
            return super().perform(typed, sent)
        except DataError:
            raise ValidationError(NOT_STORABLE) from None
