"""The list and the page of jobs: what happens, and what operators can do about it."""

from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import SuspiciousOperation
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.functional import SimpleLazyObject
from django.utils.text import Truncator

from inbox.admin_pages.change_list import QuietChangeList
from inbox.admin_pages.job_list import banner
from inbox.admin_pages.job_list.bulk_action import act_on_many, ask_about_many, is_of_selected
from inbox.admin_pages.job_list.filters import (
    ErrorKindFilter,
    MessageTypeFilter,
    OpenForFilter,
    OwnerFilter,
    SourceFilter,
)
from inbox.admin_pages.job_list.pick import Picked, pick, wanted
from inbox.admin_pages.job_page.content import content_of
from inbox.admin_pages.job_page.correction import CorrectJobForm, why_not
from inbox.admin_pages.job_page.job_form import JobForm
from inbox.admin_pages.job_page.payload import shown
from inbox.admin_pages.job_page.timeline import LIMIT, has_said, timeline
from inbox.admin_pages.links import cases_of, links_of
from inbox.admin_pages.privacy import REVEAL, is_revealed
from inbox.admin_pages.read_only import ReadOnlyAdmin
from inbox.db import bounded_count
from inbox.db.distinct_values import sources_seen
from inbox.db.planner import by_index
from inbox.models import InboxAudit, InboxJob
from inbox.monitoring.lease import lease_of
from inbox.operations.operation import OPERATE, Operation
from inbox.operations.verbs import CORRECT, OPERATIONS

# Other jobs of the case that the page links; a search shows the rest.
OTHERS = 20
BIGGEST_ID = 2**63 - 1


class JobList(QuietChangeList):
    """Looks no further than its filters can do quickly; a search looks at all jobs."""

    picked: Picked | None = None

    def cut(self, request: HttpRequest, rows: QuerySet) -> QuerySet:
        if self.query or is_of_selected(request):
            return rows
        if self.picked is None:
            self.picked = pick(wanted(request.GET))
            self.says = request.says = self.picked.says  # type: ignore[attr-defined] # for the page that asks
        return rows.filter(inbox_id__any_of=self.picked.keys[: bounded_count.LIMIT]) if self.says else rows

    def get_keys(self) -> list[int]:
        return self.picked.keys if self.picked else super().get_keys()


@admin.register(InboxJob)
class InboxJobAdmin(ReadOnlyAdmin):
    list_display = [
        "inbox_id",
        "status_shown",
        "message_type",
        "short_error",
        "attempt_count",
        "next_attempt_at",
        "locked_by",
        "source",
        "message_id",
        "decision_tracking_id",
    ]
    list_filter = ["status", SourceFilter, MessageTypeFilter, OpenForFilter, ErrorKindFilter, OwnerFilter]
    search_fields = ["inbox_id", "message_id", "decision_tracking_id"]
    search_help_text = "An inbox id, a message id, a decision tracking id or a packet id, in full."
    hidden_fields = ("errors",)
    harmless_json = ("errors",)
    actions_selection_counter = True
    change_list_template = "admin/inbox/job_list.html"
    change_form_template = "admin/inbox/job_page.html"

    @admin.display(description="status")
    def status_shown(self, job: InboxJob) -> str:
        return job.status

    @admin.display(description="last error", empty_value="-")
    def short_error(self, job: InboxJob) -> str | None:
        return Truncator(job.last_error).chars(80) if job.last_error else None

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return JobList

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        term = search_term.strip()
        return (queryset.filter(inbox_id__any_of=_found(term)), False) if term else (queryset, False)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        if not all(_is_key(key) for key in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            raise SuspiciousOperation("a selection of what is no job")
        # Before the list is looked up, which this has no need of.
        if "seen" in request.POST:
            banner.forget()
            if answer := act_on_many(self, request):
                return answer
        # An action shows no banner.
        context = {"banner": SimpleLazyObject(banner.banner)}
        return super().changelist_view(request, context | (extra_context or {}))

    def get_actions(self, request: HttpRequest) -> Any:
        """Those on many jobs. The stock ones, among them delete, are not offered."""
        if not request.user.has_perm(OPERATE):
            return {}
        return {action.name: (partial(_many, action), action.name, action.label) for action in OPERATIONS}

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        actions = [
            path(
                f"<int:inbox_id>/{action.name}/",
                view(self.action_view),
                {"action": action},
                name=f"inbox_inboxjob_{action.name}",
            )
            for action in OPERATIONS
        ]
        correct = path("<int:inbox_id>/correct/", view(self.correct_view), name="inbox_inboxjob_correct")
        return [*actions, correct, *super().get_urls()]

    def action_view(self, request: HttpRequest, inbox_id: int, action: Operation) -> HttpResponse:
        banner.forget()
        return JobForm(self, request, inbox_id, action).answer()

    def correct_view(self, request: HttpRequest, inbox_id: int) -> HttpResponse:
        banner.forget()
        return CorrectJobForm(self, request, inbox_id).answer()

    def audited_name(self, row: Any) -> str:
        return f"job:{row.pk}"

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: InboxJob | None = None,
    ) -> Any:
        more = self._job_context(request, obj, is_revealed(request)) if obj else {}
        return super().render_change_form(request, context | more, add, change, form_url, obj)

    def get_fieldsets(self, request: HttpRequest, obj: InboxJob | None = None) -> Any:
        # What a person needs of them stands above, in words.
        return [("All columns", {"classes": ["collapse"], "fields": self.get_fields(request, obj)})]

    def _job_context(self, request: HttpRequest, job: InboxJob, is_reveal: bool) -> dict[str, Any]:
        may = request.user.has_perm
        audit = InboxAudit.objects.filter(object=f"job:{job.pk}").order_by("-pk")
        deeds = list(audit[:LIMIT]) if may("inbox.view_inboxaudit") else []
        content = content_of(job)
        may_correct = may(CORRECT.permission) and may(REVEAL)
        impossible = why_not(job, content)
        return {
            "job": job,
            "lease": lease_of(job),
            "buttons": self._buttons(request, job),
            "events": timeline(job, deeds, is_revealed=is_reveal),
            "links": links_of(job, may),
            "others": self._others(job),
            "deeds": deeds,
            "content": content,
            "original": job,
            "payload": shown(content.original, revealed=is_reveal) if content else None,
            "correction": shown(content.corrected, revealed=is_reveal) if content else None,
            "is_reveal": is_reveal,
            "may_reveal": may(REVEAL) and (content is not None or has_said(job)),
            "may_correct": may_correct and impossible is None,
            "uncorrectable": impossible if may_correct and content and job.status in CORRECT.takes else None,
            "OTHERS": OTHERS,
        }

    def _buttons(self, request: HttpRequest, job: InboxJob) -> list[tuple[str, str]]:
        may = request.user.has_perm
        return [
            (action.label, reverse(f"admin:inbox_inboxjob_{action.name}", args=[job.pk]))
            for action in OPERATIONS
            if may(action.permission) and job.status in action.takes
        ]

    def _others(self, job: InboxJob) -> list[InboxJob]:
        if job.decision_tracking_id is None:
            return []
        jobs = InboxJob.objects.filter(decision_tracking_id=job.decision_tracking_id).exclude(pk=job.pk)
        return list(jobs.only("inbox_id", "message_type", "status").order_by("-inbox_id")[: OTHERS + 1])


def _found(term: str) -> set[int]:
    """The keys of the jobs with this id, by an index for each kind of id."""
    keys: set[int] = set()
    with by_index():
        if _is_key(term):
            # The index of messages begins with the source.
            by_message = InboxJob.objects.filter(source__in=sources_seen(), message_id=int(term))
            keys.update(by_message.order_by().values_list("pk", flat=True)[: bounded_count.LIMIT])
            keys.update(InboxJob.objects.filter(pk=int(term)).values_list("pk", flat=True))
            return keys
        cases = cases_of(term)
        if not cases:
            try:
                cases = [UUID(term)]
            except ValueError:
                return keys
        by_case = InboxJob.objects.filter(decision_tracking_id__any_of=cases)
        keys.update(by_case.order_by().values_list("pk", flat=True)[: bounded_count.LIMIT])
    return keys


def _is_key(text: str) -> bool:
    """A number that a job can have; Python refuses to read one of thousands of digits."""
    return text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= BIGGEST_ID


def _many(action: Operation, admin: InboxJobAdmin, request: HttpRequest, jobs: QuerySet) -> HttpResponse:
    return ask_about_many(admin, request, jobs, action, getattr(request, "says", ""))
