"""What all admin pages share: they only show, they stay quick on big tables, and no row breaks them.

Nothing is editable: a saved form would write back every column, over what a worker has written meanwhile.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import get_fields_from_path
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString

from inbox.audit import Change, record
from inbox.change_list import CappedPaginator, QuietChangeList, by_keys, has_index, search
from inbox.fields import ReadableDateTimeField, UnreadableJson
from inbox.redact import redacted

JSON_LENGTH_LIMIT = 100_000
NOT_READABLE = "not readable"
REVEAL = "inbox.reveal_payload"

Column = str | Callable[[Any], Any]


class ReadOnly:
    """Pages and inlines that show every field, and let nobody change anything."""

    model: type[models.Model]
    hidden_fields: tuple[str, ...] = ()
    # JSON that holds no payload. All other is shown redacted, unless the person may see payloads.
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
        return {field.name: _column(field) for field in fields if field.name not in self.hidden_fields}

    @cached_property
    def redacted_columns(self) -> dict[str, Column]:
        """The same without values of payloads."""
        return self.columns | {
            field.name: _column(field, redacted_json_text) for field in self.payloads if field.name in self.columns
        }

    @cached_property
    def payloads(self) -> list[models.Field]:
        """The fields that hold payloads."""
        fields = self.model._meta.concrete_fields
        return [field for field in fields if isinstance(field, models.JSONField) and self._is_payload(field)]

    def _is_payload(self, field: models.Field) -> bool:
        return field.name not in self.harmless_json

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        may_see = request.user.has_perm(REVEAL)
        return list((self.columns if may_see else self.redacted_columns).values())

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.get_fields(request, obj)


class ReadOnlyInline(ReadOnly, admin.TabularInline):
    extra = 0
    can_delete = False
    show_change_link = True


class ReadOnlyAdmin(ReadOnly, admin.ModelAdmin):
    """A list, and a page per row. A search finds exact values of `search_fields`; other text finds nothing."""

    actions = None
    change_list_template = "admin/inbox/quiet_list.html"
    list_per_page = 50
    ordering = ["-pk"]
    paginator = CappedPaginator
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
        """A page that shows a payload is a reveal, and logged as one."""
        if obj and self.payloads and request.user.has_perm(REVEAL):
            seen = Change(f"{self.opts.model_name}:{obj.pk}", None, None)
            record([seen], who=request.user.get_username(), verb="reveal", reason="its page was opened")
        return super().render_change_form(request, context, add, change, form_url, obj)

    def get_list_display(self, request: HttpRequest) -> Any:
        return [self.columns.get(name, name) if isinstance(name, str) else name for name in self.list_display]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return QuietChangeList

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
        for path in self.get_search_fields(request):
            field = get_fields_from_path(self.model, path)[-1]
            try:
                values[path] = field.to_python(term)
            except ValidationError:
                continue
        return values


def _column(field: models.Field, show_json: Callable[[Any], Any] | None = None) -> Column:
    show: Callable[[Any], Any]
    if isinstance(field, models.JSONField):
        show = show_json or json_text
    elif isinstance(field, ReadableDateTimeField) and not field.null:
        show = time_or_not_readable
    elif isinstance(field, models.DateTimeField):
        show = time_text
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
    if len(text) > JSON_LENGTH_LIMIT:
        text = f"{text[:JSON_LENGTH_LIMIT]}\n… and {len(text) - JSON_LENGTH_LIMIT:,} more characters"
    return format_html(
        '{}<pre style="margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; max-height: 40em; overflow-y: auto">'
        "{}</pre>",
        hint,
        text,
    )
