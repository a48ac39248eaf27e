"""A form that asks before something is done to one row, such as a job or a packet, and that nothing can do twice.

GET shows the form and changes nothing. POST
1. checks the permission and what was typed,
2. locks the submission: of two clicks at once the second waits for the first,
3. looks in the audit for what this form has done before: with the same entries it is a second click, which does nothing
   twice; with others it is an edit, which is refused because it came too late,
4. does it, if the row is as the person saw it.

What can go wrong: the row has changed since the form was shown, or somebody has it locked. Then nothing is done and the
form is shown again, as a conflict (409), with all that was typed and the row as it is now. To submit that form is to
decide upon what it shows.
"""

from abc import ABC, abstractmethod
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import OperationalError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse

from inbox.operations.operation import Asked
from inbox.operations.submission import Submission, earlier_digest, known_id, lock_submission, submission

MAX_TEXT_LENGTH = 2000
# lock_not_available, deadlock_detected: somebody has the row locked.
BUSY = frozenset(["55P03", "40P01"])
TOO_LATE = "this form was submitted before with other entries, and those were carried out"
NOT_TWICE = "this was done already; it was not done twice."


class Refused(Exception):
    """Nothing has been changed; the text says why, to a person, as the end of a sentence."""


class TooLate(Refused):
    """The form has been carried out with other entries."""


def text_area(rows: int) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows, "cols": 60})


class ReasonForm(forms.Form):
    """Asks why. Cleaned data is what is to be done, by the names of its arguments."""

    reason = forms.CharField(
        max_length=MAX_TEXT_LENGTH, widget=text_area(3), help_text="Kept on record. No patient data."
    )

    required_css_class = "required"


class GuardedForm(ABC):
    """Answers one request. A subclass says what is seen, when it is possible, and how it is done."""

    template: str
    # What is said when the row can't be locked.
    in_use: str

    def __init__(self, admin: Any, request: HttpRequest, pk: int, asked: Asked) -> None:
        """Raises PermissionDenied, and Http404 if there is no such row."""
        if not request.user.has_perm(asked.permission) or not admin.has_view_permission(request):
            raise PermissionDenied
        self.admin: Any = admin
        self.request = request
        self.asked = asked
        self.row: Any = get_object_or_404(admin.model, pk=pk)
        self.who = request.user.get_username()
        self.seen_before = request.POST.get("seen", "")
        self.request_id = known_id(request.POST.get("request_id", ""))

    @property
    @abstractmethod
    def row_name(self) -> str:
        """What the page calls the row."""

    @property
    @abstractmethod
    def seen(self) -> str:
        """What a person who sees the row as it is decides upon; the form carries it."""

    @property
    @abstractmethod
    def status(self) -> str:
        """A sentence that says where the row has come to."""

    @abstractmethod
    def why_not(self) -> str | None:
        """Why it is not possible as the row is; None if it is."""

    @abstractmethod
    def make_form(self, data: Any = None) -> forms.Form:
        """The form, with what was typed."""

    @abstractmethod
    def perform(self, typed: dict[str, Any], sent: Submission | None) -> bool:
        """Do it in the caller's transaction, and record `sent` in the audit; False if there was nothing to change.

        Raises Refused if the row is not as it was seen, ValidationError for what can't be stored.
        """

    def context(self, form: forms.Form) -> dict[str, Any]:
        """What the template needs besides."""
        return {}

    def read_again(self) -> None:
        """Look at the row as it is now."""
        self.row.refresh_from_db()

    def answer(self) -> HttpResponse:
        """Answer the request."""
        if self.request.method in ("GET", "HEAD"):
            return self.offer()
        if self.request.method == "POST":
            return self.submit()
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])

    def offer(self) -> HttpResponse:
        """The empty form, or the way back if it makes no sense now."""
        if why := self.why_not():
            return self.leave(f"{self.asked.label} is not possible now: {why}.", messages.WARNING)
        return self.show(self.make_form())

    def submit(self) -> HttpResponse:
        """Carry out what was typed, unless that is wrong, stale, too late or done already."""
        form = self.make_form(self.request.POST)
        # What the person saw, and decides upon, is kept while the fields are being fixed.
        same = {"seen": self.seen_before, "request_id": self.request_id}
        if not form.is_valid():
            return self.show(form, **same)
        try:
            with transaction.atomic():
                text, level = self._carry_out_once(form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error)
            return self.show(form, **same)
        except Refused as refusal:
            return self._show_refused(form, str(refusal), is_used=isinstance(refusal, TooLate))
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", None) not in BUSY:
                raise
            return self._show_refused(form, self.in_use)
        self.read_again()
        return self.leave(f"{self.asked.label}: {text} {self.status}", level)

    def _carry_out_once(self, typed: dict[str, Any]) -> tuple[str, int]:
        """What a person is told, and as what kind of message."""
        sent = submission(self.request_id, {**typed, "verb": self.asked.name, "who": self.who})
        if sent:
            lock_submission(sent.request_id)
            before = earlier_digest(self.admin.audited_name(self.row), sent.request_id)
            if before == sent.request_sha256:
                return NOT_TWICE, messages.INFO
            if before:
                raise TooLate(TOO_LATE)
        if self.perform(typed, sent):
            return "done.", messages.SUCCESS
        return "it is so already; nothing was changed.", messages.INFO

    def _show_refused(self, form: forms.Form, why: str, *, is_used: bool = False) -> HttpResponse:
        """A form that has done something already is shown as a new one; any other can still be sent, and sent twice."""
        self.read_again()
        return self.show(form, refused=why, request_id=None if is_used else self.request_id)

    def show(
        self, form: forms.Form, *, refused: str | None = None, seen: str | None = None, request_id: str | None = None
    ) -> HttpResponse:
        """The form, beside the row as it is now; `seen` and `request_id` of an earlier form, if it is that one."""
        context = {
            **self.admin.admin_site.each_context(self.request),
            "title": f"{self.row_name}: {self.asked.label.lower()}",
            "opts": self.admin.opts,
            "action": self.asked,
            "form": form,
            "media": self.admin.media + form.media,
            "row_name": self.row_name,
            "page": self.page,
            "seen": self.seen if seen is None else seen,
            "request_id": request_id or str(uuid4()),
            "refused": refused,
            "impossible": self.why_not(),
            **self.context(form),
        }
        return TemplateResponse(self.request, self.template, context, status=409 if refused else 200)

    @property
    def page(self) -> str:
        """The page of the row."""
        opts = self.admin.opts
        return reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[self.row.pk])

    def leave(self, text: str, level: int) -> HttpResponse:
        """Back to the page of the row, with a message."""
        self.admin.message_user(self.request, text, level)
        return HttpResponseRedirect(self.page)
