"""The admin of jobs: wires their list (`job_list`), their page (`job_page`) and the forms of operators."""

from functools import partial
from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import SuspiciousOperation
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from django.utils.text import Truncator

from inbox.admin_pages.job_list import banner
from inbox.admin_pages.job_list.bulk_action import act_on_many, ask_about_many
from inbox.admin_pages.job_list.change_list import JobList
from inbox.admin_pages.job_list.filters import FILTERS
from inbox.admin_pages.job_list.search import find_jobs, is_key
from inbox.admin_pages.job_page.context import job_context
from inbox.admin_pages.job_page.correction import CorrectJobForm
from inbox.admin_pages.job_page.job_form import JobForm
from inbox.admin_pages.read_only import ReadOnlyAdmin
from inbox.models import InboxJob
from inbox.operations.operation import OPERATE
from inbox.operations.verbs import CORRECT, OPERATIONS


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
    list_filter = ["status", *FILTERS]
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
        return queryset.filter(inbox_id__any_of=find_jobs(term)) if term else queryset, False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        if not all(is_key(key) for key in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            raise SuspiciousOperation("The selection holds a key that no job can have.")
        # A confirmed action needs no list, so it is carried out before the list is read.
        if "seen" in request.POST:
            banner.forget()
            if answer := act_on_many(self, request):
                return answer
        # Lazy, as the page of an action shows no banner.
        context = {"banner": SimpleLazyObject(banner.banner)}
        return super().changelist_view(request, context | (extra_context or {}))

    def get_actions(self, request: HttpRequest) -> Any:
        """Those on many jobs. Django's own, among them delete, are not offered."""
        if not request.user.has_perm(OPERATE):
            return {}
        return {
            action.name: (partial(ask_about_many, operation=action), action.name, action.label) for action in OPERATIONS
        }

    def get_urls(self) -> list[Any]:
        return JobForm.paths(self, OPERATIONS) + CorrectJobForm.paths(self, [CORRECT]) + super().get_urls()

    def audited_name(self, row: Any) -> str:
        return f"job:{row.pk}"

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        return super().page_context(request, row) | job_context(request, row)

    def get_fieldsets(self, request: HttpRequest, obj: InboxJob | None = None) -> Any:
        # The page says above, in words, what a person needs of them.
        return [("All columns", {"classes": ["collapse"], "fields": self.get_fields(request, obj)})]
