"""The base of all admin pages: read-only, quick on big tables, and able to show any row.

Nothing is editable: a saved form would write every column back, over what a worker has written meanwhile.
"""

from functools import cached_property
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import get_fields_from_path, quote, unquote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import FieldDoesNotExist, PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST

from inbox.admin_pages.change_list import BoundedPaginator, QuietChangeList, search
from inbox.admin_pages.columns import Column, hidden_column, payload_column, value_column
from inbox.admin_pages.privacy import REVEAL, is_revealed, private_fields, reveal, withheld


class ReadOnly:
    """Pages and inlines that show every field and change nothing."""

    model: type[models.Model]
    hidden_fields: tuple[str, ...] = ()
    # JSON that holds no payload. All other JSON is shown redacted, unless the request reveals it.
    harmless_json: tuple[str, ...] = ()

    def _nobody(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_add_permission = has_change_permission = has_delete_permission = _nobody

    @cached_property
    def payloads(self) -> frozenset[str]:
        """The fields that hold payloads, which only a reveal shows."""
        others = {*self.harmless_json, *private_fields(self.model)}
        fields = self.model._meta.concrete_fields
        return frozenset(field.name for field in fields if isinstance(field, models.JSONField)) - others

    def not_shown(self, request: HttpRequest) -> frozenset[str]:
        """The fields whose values this request may not see."""
        payloads = frozenset() if is_revealed(request) else self.payloads
        return payloads | withheld(request, self.model)

    def columns(self, request: HttpRequest) -> dict[str, Column]:
        """How this request shows each field, by its name."""
        hidden = self.not_shown(request)

        def column(field: models.Field) -> Column:
            if field.name in hidden:
                return hidden_column(field)
            return payload_column(field) if field.name in self.payloads else value_column(field)

        fields = self.model._meta.concrete_fields
        return {field.name: column(field) for field in fields if field.name not in self.hidden_fields}

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return list(self.columns(request).values())

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.get_fields(request, obj)


class ReadOnlyInline(ReadOnly, admin.TabularInline):
    extra = 0
    can_delete = False
    show_change_link = True


class ReadOnlyAdmin(ReadOnly, admin.ModelAdmin):
    """A list, and a page per row. A search finds exact values of `search_fields` and nothing else.

    A page that hides something has a button that reveals it, for users with the permission.
    """

    actions = None
    change_form_template = "admin/inbox/row_page.html"
    change_list_template = "admin/inbox/quiet_list.html"
    list_per_page = 50
    ordering = ["-pk"]
    paginator = BoundedPaginator
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    # Few columns have an index to sort by.
    sortable_by = ()

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """The context of the page of a row, beside Django's own; subclasses add to it."""
        may_reveal = self.not_shown(request) and request.user.has_perm(REVEAL)
        return {"is_revealed": is_revealed(request), "reveal_url": self.url_of(row, "reveal") if may_reveal else None}

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        row = kwargs.get("obj")
        more = self.page_context(request, row) if row else {}
        return super().render_change_form(request, context | more, *args, **kwargs)

    def url_of(self, row: models.Model, view: str) -> str:
        """The address of a view of a row, such as `change`."""
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{view}", args=[quote(row.pk)])

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_reveal"
        view = self.admin_site.admin_view(self.reveal_view)
        return [path("<path:object_id>/reveal/", view, name=name), *super().get_urls()]

    @method_decorator(require_POST)
    def reveal_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The page of a row with everything it hides. Raises PermissionDenied, and Http404 if there is no such row.

        Only a POST reveals, so no link and no prefetch shows anything or fills the log.
        """
        if not request.user.has_perm(REVEAL) or not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        reveal(request, self.audited_name(row), "on its page")
        # Django's view takes a POST for an edit, which it refuses.
        request.method = "GET"
        return self.changeform_view(request, object_id)

    def audited_name(self, row: models.Model) -> str:
        """The name of the row in the audit."""
        return f"{self.opts.model_name}:{row.pk}"

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Not by a hidden field: to ask whether a name begins with A, then with AB, is to read it."""
        try:
            name = self.opts.get_field(lookup.partition("__")[0]).name
        except FieldDoesNotExist:
            name = ""
        return name not in self.not_shown(request) and super().lookup_allowed(lookup, value, request)

    def get_list_display(self, request: HttpRequest) -> Any:
        columns = self.columns(request)
        return [columns.get(name, name) if isinstance(name, str) else name for name in self.list_display]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return QuietChangeList

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        """Not hidden ones: to ask whether a number exists is to try them all."""
        fields = {path: get_fields_from_path(self.model, path)[-1] for path in self.search_fields}
        return [path for path, field in fields.items() if field.name not in withheld(request, field.model)]

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet, search_term: str
    ) -> tuple[models.QuerySet, bool]:
        term = search_term.strip()
        return search(queryset, self.get_search_fields(request), term) if term else queryset, False
