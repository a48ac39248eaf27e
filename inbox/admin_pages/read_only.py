"""What all admin pages share: they only show, they stay quick on big tables, and no row breaks them.

Nothing is editable: a saved form would write back every column, over what a worker has written meanwhile.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import get_fields_from_path, quote, unquote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import FieldDoesNotExist, PermissionDenied, ValidationError
from django.db import models
from django.db.models.functions import Cast
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import path, reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString

from inbox.admin_pages.change_list import BoundedPaginator, QuietChangeList, by_keys, has_index, search
from inbox.admin_pages.indent import indented
from inbox.admin_pages.privacy import NOT_SHOWN, REVEAL, is_revealed, reveal, withheld
from inbox.admin_pages.redaction import redacted
from inbox.fields import ReadableDateTimeField, UnreadableJson

JSON_LENGTH_LIMIT = 100_000
# What would be longer is shown on its own lines.
INDENT_LIMIT = 10 * JSON_LENGTH_LIMIT
NOT_READABLE = "not readable"

Column = str | Callable[[Any], Any]


class ReadOnly:
    """Pages and inlines that show every field, and let nobody change anything."""

    model: type[models.Model]
    hidden_fields: tuple[str, ...] = ()
    # JSON that holds no payload. All other is shown redacted, unless the request reveals it.
    harmless_json: tuple[str, ...] = ()

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @cached_property
    def columns(self) -> dict[str, Column]:
        """How each field is shown."""
        fields = self.model._meta.concrete_fields
        return {
            field.name: _exact_column(field) if field.name in self.payloads else _column(field)
            for field in fields
            if field.name not in self.hidden_fields
        }

    @cached_property
    def redacted_columns(self) -> dict[str, Column]:
        """The same without values, of those that not everybody sees."""
        private = self.payloads | (self.model.private.fields if hasattr(self.model, "private") else frozenset())
        fields = self.model._meta.concrete_fields
        return {field.name: _redacted_column(field) for field in fields if field.name in private & self.columns.keys()}

    @cached_property
    def payloads(self) -> frozenset[str]:
        """The fields that hold payloads, which only a reveal shows."""
        private = self.model.private.fields if hasattr(self.model, "private") else ()
        return frozenset(
            field.name
            for field in self.model._meta.concrete_fields
            if isinstance(field, models.JSONField) and field.name not in (*self.harmless_json, *private)
        )

    def not_shown(self, request: HttpRequest) -> frozenset[str]:
        """The fields whose values this request may not see."""
        payloads = frozenset() if is_revealed(request) else self.payloads
        return payloads | withheld(request, self.model)

    def shown_columns(self, request: HttpRequest) -> dict[str, Column]:
        """How this request shows each field."""
        hidden = self.not_shown(request)
        return self.columns | {name: column for name, column in self.redacted_columns.items() if name in hidden}

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return list(self.shown_columns(request).values())

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.get_fields(request, obj)


class ReadOnlyInline(ReadOnly, admin.TabularInline):
    extra = 0
    can_delete = False
    show_change_link = True


class ReadOnlyAdmin(ReadOnly, admin.ModelAdmin):
    """A list, and a page per row. A search finds exact values of `search_fields`; other text finds nothing.

    Where a page withholds something, whoever may reveal has a button for it: a POST to `…/reveal/`, which is logged.
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

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> Any:
        if obj and self.not_shown(request) and request.user.has_perm(REVEAL):
            context["reveal_url"] = reverse(f"admin:{self._reveal_name}", args=[quote(obj.pk)])
        context["is_revealed"] = is_revealed(request)
        return super().render_change_form(request, context, add, change, form_url, obj)

    @property
    def _reveal_name(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_reveal"

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.reveal_view)
        return [path("<path:object_id>/reveal/", view, name=self._reveal_name), *super().get_urls()]

    def reveal_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The page of a row with all that it withholds. By POST only: no link and no prefetch reveals or is logged."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perm(REVEAL) or not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        reveal(request, self.audited_name(row), "on its page")
        # The stock view takes a POST for an edit, which it refuses.
        request.method = "GET"
        return self.changeform_view(request, object_id)

    def audited_name(self, row: models.Model) -> str:
        """What the audit calls the row."""
        return f"{self.opts.model_name}:{row.pk}"

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Not by what isn't shown: whoever can ask whether a name begins with A, then with AB, can read it."""
        try:
            name = self.opts.get_field(lookup.partition("__")[0]).name
        except FieldDoesNotExist:
            name = ""
        return name not in self.not_shown(request) and super().lookup_allowed(lookup, value, request)

    def get_list_display(self, request: HttpRequest) -> Any:
        shown = self.shown_columns(request)
        return [shown.get(name, name) if isinstance(name, str) else name for name in self.list_display]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return QuietChangeList

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        """Not by what isn't shown: whoever can ask whether a number is there can try them all."""
        fields = {path: self._field(path) for path in self.search_fields}
        return [path for path, field in fields.items() if field.name not in withheld(request, field.model)]

    def _field(self, path: str) -> models.Field:
        return get_fields_from_path(self.model, path)[-1]

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet, search_term: str
    ) -> tuple[models.QuerySet, bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        return by_keys(queryset, search(self.model, self._values(request, term))), False

    def searches_newest(self, request: HttpRequest) -> bool:
        """A search looks for some of its fields among the newest rows only."""
        return not all(has_index(self.model, path) for path in self.get_search_fields(request))

    def _values(self, request: HttpRequest, term: str) -> dict[str, Any]:
        """What `term` means as a value of each field that is searched, if it can mean one."""
        values = {}
        for lookup in self.get_search_fields(request):
            try:
                values[lookup] = self._field(lookup).to_python(term)
            except ValidationError:
                continue
        return values


def _exact_column(field: models.Field) -> Column:
    """JSON as the database has it, by a look of its own: Python has rounded its numbers."""

    @admin.display(description=field.verbose_name)
    def column(row: models.Model) -> Any:
        value = getattr(row, field.name)
        if value is None or isinstance(value, UnreadableJson):
            return "-" if value is None else json_text(value)
        texts = type(row)._base_manager.filter(pk=row.pk).values_list(Cast(field.name, models.TextField()), flat=True)
        text = texts.first()
        # The row may be gone since.
        return "-" if text is None else preformatted(indented(text, INDENT_LIMIT))

    # As in _column.
    column.__name__ = field.name
    return column


def _redacted_column(field: models.Field) -> Column:
    return _column(field, redacted_json_text, not_shown_text)


def _column(
    field: models.Field,
    show_json: Callable[[Any], Any] | None = None,
    show_text: Callable[[Any], Any] | None = None,
) -> Column:
    show: Callable[[Any], Any]
    if isinstance(field, models.JSONField):
        show = show_json or json_text
    elif isinstance(field, ReadableDateTimeField) and not field.null:
        show = time_or_not_readable
    elif isinstance(field, models.DateTimeField):
        show = time_text
    elif show_text:
        show = show_text
    else:
        return field.name

    @admin.display(description=field.verbose_name)
    def column(row: models.Model) -> Any:
        text = show(getattr(row, field.name))
        # A page, unlike a list, would show the word None.
        return "-" if text is None else text

    # Admin finds the help text and the style of the field by this name.
    column.__name__ = field.name
    return column


def time_text(value: datetime | None) -> str | None:
    """To the second, and sortable by eye."""
    return None if value is None else timezone.localtime(value).strftime("%Y-%m-%d %H:%M:%S")


def time_or_not_readable(value: datetime | None) -> str | None:
    return NOT_READABLE if value is None else time_text(value)


def not_shown_text(value: Any) -> str | None:
    """Says that there is something, not what."""
    return None if value is None else NOT_SHOWN


def redacted_json_text(value: Any) -> SafeString | str | None:
    """The same without values."""
    if isinstance(value, UnreadableJson):
        return f"{NOT_READABLE}: a number is too long, or the nesting too deep; {len(value):,} characters."
    try:
        return json_text(redacted(value))
    except RecursionError:
        return f"{NOT_READABLE}: the nesting is too deep."


def json_text(value: Any) -> SafeString | None:
    """JSON as indented text, escaped; JSON that Python can't read as it is stored, with a word about that."""
    if value is None:
        return None
    hint = text = ""
    if isinstance(value, UnreadableJson):
        hint, text = f"{NOT_READABLE}: a number is too long, or the nesting too deep. As it is stored:", str(value)
    else:
        try:
            text = json.dumps(value, indent=2, ensure_ascii=False)
        except RecursionError:
            # It was decoded near the top of the stack; a template renders far below.
            hint = f"{NOT_READABLE}: the nesting is too deep."
    return preformatted(text, hint)


def preformatted(text: str, hint: str = "") -> SafeString:
    """The first JSON_LENGTH_LIMIT characters of a text as it is, escaped."""
    if len(text) > JSON_LENGTH_LIMIT:
        text = f"{text[:JSON_LENGTH_LIMIT]}\n… and {len(text) - JSON_LENGTH_LIMIT:,} more characters"
    return format_html(
        '{}<pre style="margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; max-height: 40em; overflow-y: auto">'
        "{}</pre>",
        hint,
        text,
    )
