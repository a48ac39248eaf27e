"""Filters of the job list. None asks the table for its values by reading all of it.

Only jobs in trouble, open ones and error kinds have an index to find few among many. A filter that has none looks
through the newest NEWEST_JOBS, and the list says so; together with a status that has one it looks through all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Max, Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest

from inbox import registry
from inbox.job_list.distinct import error_kinds_seen, sources_seen
from inbox.models import InboxJob
from inbox.statuses import DUE_STATUSES, TROUBLED_STATUSES, Status

# Read through backwards by key in some 50 ms; the others in 30.
NEWEST_JOBS = 200_000
OPEN_JOBS = 5_000
OPEN_FOR = {"300": "5 minutes", "3600": "1 hour", "86400": "1 day", "604800": "1 week"}
OWNERS = 50


@dataclass(frozen=True, slots=True)
class Limit:
    """Which jobs a list is limited to: `of` gives them, `says` tells it to a person."""

    says: str
    of: Callable[[QuerySet], QuerySet]


def _newest(jobs: QuerySet) -> QuerySet:
    newest = InboxJob.objects.aggregate(newest=Max("inbox_id"))["newest"] or 0
    return jobs.filter(inbox_id__gt=newest - NEWEST_JOBS)


def _first_due(jobs: QuerySet) -> QuerySet:
    # The order and the LIMIT have the two indexes of open jobs asked first. Left to itself the planner goes backwards
    # through all jobs by key, or reads the whole table, expecting to meet 50 soon: 160 ms if they are old.
    due = jobs.filter(status__in=DUE_STATUSES).order_by("source", "next_attempt_at", "inbox_id")
    claimed = jobs.filter(status=Status.PROCESSING).order_by("locked_at", "inbox_id")
    keys = [part.values("inbox_id")[:OPEN_JOBS] for part in (due, claimed)]
    return InboxJob.objects.filter(inbox_id__in=keys[0].union(keys[1], all=True)).order_by(*jobs.query.order_by)


NEWEST = Limit(
    f"For this filter the newest {NEWEST_JOBS:,} jobs are looked through; with FAILED, WAITING or DEAD, all.", _newest
)
FIRST_DUE = Limit(f"Of many open jobs, {OPEN_JOBS:,} are shown and acted on.", _first_due)


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
    """Who has it now; whoever has nothing can't be chosen."""

    title = "owner"
    parameter_name = "locked_by"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        claimed = InboxJob.objects.filter(status=Status.PROCESSING).order_by().values_list("locked_by", flat=True)
        return [(name, name) for name in sorted(filter(None, claimed.distinct()[:OWNERS]))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(status=Status.PROCESSING, locked_by=self.value()) if self.value() else queryset


class OpenForFilter(admin.SimpleListFilter):
    """Jobs that have not ended, by how long ago they were taken in."""

    title = "age, of open jobs"
    parameter_name = "open_for"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(age_s, f"open for more than {text}") for age_s, text in OPEN_FOR.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() not in OPEN_FOR:
            return queryset
        # In two parts, as each has an index of its own.
        is_open = Q(status__in=DUE_STATUSES) | Q(status=Status.PROCESSING)
        return queryset.filter(is_open, created_at__lt=Now() - timedelta(seconds=int(self.value() or 0)))


def limit(parameters: Any) -> Limit | None:
    """How far a list with these parameters of its address looks."""
    status = parameters.get("status__exact")
    if any(parameters.get(name) for name in ("error_kind", "locked_by", "q")) or status in map(str, TROUBLED_STATUSES):
        return None
    if parameters.get("open_for") or status in (Status.NEW, Status.PROCESSING):
        return FIRST_DUE
    return NEWEST if status or parameters.get("source") or parameters.get("message_type") else None
