"""The filters of the job list. No filter reads the whole table for its choices; `pick` finds the jobs that match."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest

from inbox import registry
from inbox.admin_pages.job_list.pick import OPEN_FOR
from inbox.db.distinct_values import error_kinds_seen, sources_seen
from inbox.models import InboxJob
from inbox.statuses import DUE_STATUSES, Status

# Owners that the filter offers.
OWNERS = 50


def one_of(column: str, names: Callable[[], Iterable[str]], title: str = "", **more: str) -> type:
    """A filter for one value of a text column, and `more`; `names` gives the values to choose from."""

    class OneOf(admin.SimpleListFilter):
        parameter_name = column

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            return [(name, name) for name in sorted(names())]

        def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
            return queryset.filter(**{column: self.value(), **more}) if self.value() else queryset

    OneOf.title = title or column.replace("_", " ")
    return OneOf


def _sources() -> set[str]:
    return {source.name for source in registry.sources()} | set(sources_seen())


def _message_types() -> set[str]:
    return {name for source in registry.sources() for name in source.message_types}


def _owners() -> list[str]:
    claimed = InboxJob.objects.filter(status=Status.PROCESSING).order_by()
    return list(filter(None, claimed.values_list("locked_by", flat=True).distinct()[:OWNERS]))


class OpenForFilter(admin.SimpleListFilter):
    """Jobs that have not ended, by their age since ingest."""

    title = "age of open jobs"
    parameter_name = "open_for"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(age_s, f"open for more than {text}") for age_s, text in OPEN_FOR.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() not in OPEN_FOR:
            return queryset
        # Two conditions, as each has its own index.
        is_open = Q(status__in=DUE_STATUSES) | Q(status=Status.PROCESSING)
        return queryset.filter(is_open, created_at__lt=Now() - timedelta(seconds=int(self.value() or 0)))


FILTERS = [
    one_of("source", _sources),
    one_of("message_type", _message_types),
    OpenForFilter,
    one_of("error_kind", error_kinds_seen),
    one_of("locked_by", _owners, "owner", status=Status.PROCESSING),
]
