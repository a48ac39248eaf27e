"""A form that asks before something is done to one row, such as a job or a packet, and that nothing can do twice.

GET shows the form and changes nothing. POST
1. checks the permission and what was typed,
2. locks the submission: of two clicks at once the second waits for the first,
3. looks in the audit for what this form has done before: with the same entries it is a second click, which does nothing
   twice; with others it is an edit, which is refused because it came too late,
4. does it, if the row is as the person saw it.

Failure modes: the row has changed since the form was shown, or somebody has it locked. Then nothing is done and the
form is shown again, as a conflict (409), with all that was typed and the row as it is now. To submit that form is to
decide upon what it shows.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import OperationalError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from inbox.admin_pages.read_only import ReadOnlyAdmin
from inbox.operations.operation import Asked
from inbox.operations.submission import Submission, earlier_digest, lock_submission, request_id_of, submission

MAX_TEXT_LENGTH = 2000
# lock_not_available, deadlock_detected: somebody has the row locked.
BUSY = frozenset(["55P03", "40P01"])
TOO_LATE = "this form was submitted before with other entries, and those were carried out"
NOT_TWICE = "this was done already; it was not done twice."


class Refused(Exception):
    """Nothing has been changed; the text says why, to a person, as the end of a sentence."""


def text_area(rows: int) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows, "cols": 60})


class ReasonForm(forms.Form):
    """Asks why. Cleaned data is what is to be done, by the names of its arguments."""

    reason = forms.CharField(
        max_length=MAX_TEXT_LENGTH, widget=text_area(3), help_text="Kept on record. No patient data."
    )

    required_css_class = "required"


def refuse_strangers(admin: ModelAdmin, request: HttpRequest, asked: Asked) -> None:
    """Raise PermissionDenied unless the person may see the rows of this admin and do this to them."""
    if not request.user.has_perm(asked.permission) or not admin.has_view_permission(request):
        raise PermissionDenied


def form_page(
    admin: ModelAdmin, request: HttpRequest, template: str, asked: Asked, form: forms.Form, **context: Any
) -> TemplateResponse:
    """A page of the admin with the form; its template extends admin/inbox/action.html."""
    site = admin.admin_site.each_context(request)
    media = admin.media + form.media
    return TemplateResponse(
        request, template, {**site, "opts": admin.opts, "action": asked, "form": form, "media": media, **context}
    )


class GuardedForm(ABC):
    """Answers one request. A subclass says what is seen, when it is possible, and how it is done."""

    template: str
    # The message when the row can't be locked.
    in_use: str
    row: Any

    @classmethod
    def paths(cls, admin: ReadOnlyAdmin, actions: Iterable[Asked]) -> list[URLPattern]:
        """The routes of the form for each action on a row of this admin."""

        def view(request: HttpRequest, pk: int, asked: Asked) -> HttpResponse:
            return cls(admin, request, pk, asked).answer()

        prefix, view = f"{admin.opts.app_label}_{admin.opts.model_name}", admin.admin_site.admin_view(view)
        return [
            path(f"<int:pk>/{asked.name}/", view, {"asked": asked}, name=f"{prefix}_{asked.name}") for asked in actions
        ]

    def __init__(self, admin: ReadOnlyAdmin, request: HttpRequest, pk: int, asked: Asked) -> None:
        """Raises PermissionDenied, and Http404 if there is no such row."""
        refuse_strangers(admin, request, asked)
        self.admin = admin
        self.request = request
        self.asked = asked
        self.pk = pk
        self.who = request.user.get_username()
        self.seen_before = request.POST.get("seen", "")
        self.request_id = request_id_of(request.POST.get("request_id", ""))
        self.read()

    @property
    @abstractmethod
    def row_name(self) -> str:
        """The name of the row on the page."""

    @property
    @abstractmethod
    def seen(self) -> str:
        """The state of the row that a person sees and decides upon; the form carries it."""

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
    def perform(self, typed: dict[str, Any], sent: Submission) -> bool:
        """Do it in the caller's transaction, and record `sent` in the audit; False if there was nothing to change.

        Raises Refused if the row is not as it was seen, ValidationError for what can't be stored.
        """

    def context(self, form: forms.Form) -> dict[str, Any]:
        """More context for the template."""
        return {}

    def read(self) -> None:
        """Read the row, at the beginning and after each try. Raises Http404 if there is none."""
        self.row = get_object_or_404(self.admin.model, pk=self.pk)

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
        if not form.is_valid():
            return self.show(form, seen=self.seen_before)
        try:
            with transaction.atomic():
                text, level = self._carry_out_once(form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error)
            return self.show(form, seen=self.seen_before)
        except Refused as refusal:
            return self._show_refused(form, str(refusal))
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", None) not in BUSY:
                raise
            return self._show_refused(form, self.in_use)
        self.read()
        return self.leave(f"{self.asked.label}: {text} {self.status}", level)

    def _carry_out_once(self, typed: dict[str, Any]) -> tuple[str, int]:
        """The message for the person, and its level."""
        sent = submission(self.request_id, {**typed, "verb": self.asked.name, "who": self.who})
        lock_submission(sent.request_id)
        before = earlier_digest(self.admin.audited_name(self.row), sent.request_id)
        if before == sent.request_sha256:
            return NOT_TWICE, messages.INFO
        if before:
            # This form has done its work: what is shown next is another one.
            self.request_id = str(uuid4())
            raise Refused(TOO_LATE)
        if self.perform(typed, sent):
            return "done.", messages.SUCCESS
        return "that is already the case; nothing was changed.", messages.INFO

    def _show_refused(self, form: forms.Form, why: str) -> HttpResponse:
        self.read()
        return self.show(form, refused=why)

    def show(self, form: forms.Form, *, refused: str | None = None, seen: str | None = None) -> HttpResponse:
        """The form, beside the row as it is now.

        `seen` is what the person has seen already, and goes on deciding upon while the fields are fixed.
        """
        answer = form_page(
            self.admin,
            self.request,
            self.template,
            self.asked,
            form,
            title=f"{self.row_name}: {self.asked.label.lower()}",
            row_name=self.row_name,
            page=self.admin.url_of(self.row, "change"),
            seen=self.seen if seen is None else seen,
            request_id=self.request_id,
            refused=refused,
            impossible=self.why_not(),
            **self.context(form),
        )
        answer.status_code = 409 if refused else 200
        return answer

    def leave(self, text: str, level: int) -> HttpResponse:
        """Back to the page of the row, with a message."""
        self.admin.message_user(self.request, text, level)
        return HttpResponseRedirect(self.admin.url_of(self.row, "change"))
