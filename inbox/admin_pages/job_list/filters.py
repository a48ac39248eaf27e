"""The filters of the job list. No filter reads the whole table for its choices; `pick` finds the jobs that match."""

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


class OneOf(admin.SimpleListFilter):
    """A filter on a text column."""

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(**{str(self.parameter_name): self.value()}) if self.value() else queryset


class SourceFilter(OneOf):
    title = parameter_name = "source"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        names = {source.name for source in registry.sources()} | set(sources_seen())
        return [(name, name) for name in sorted(names)]


class MessageTypeFilter(OneOf):
    title = "message type"
    parameter_name = "message_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        types = {name for source in registry.sources() for name in source.message_types}
        return [(name, name) for name in sorted(types)]


class ErrorKindFilter(OneOf):
    title = "error kind"
    parameter_name = "error_kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind, kind) for kind in error_kinds_seen()]


class OwnerFilter(admin.SimpleListFilter):
    """The workers that have jobs now."""

    title = "owner"
    parameter_name = "locked_by"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        claimed = InboxJob.objects.filter(status=Status.PROCESSING).order_by().values_list("locked_by", flat=True)
        return [(name, name) for name in sorted(filter(None, claimed.distinct()[:OWNERS]))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(status=Status.PROCESSING, locked_by=self.value()) if self.value() else queryset


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


ALL = [SourceFilter, MessageTypeFilter, OpenForFilter, ErrorKindFilter, OwnerFilter]
