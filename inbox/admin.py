"""Admin pages of the inbox."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import Truncator

from inbox import registry
from inbox.admin_base import ReadOnlyAdmin
from inbox.models import InboxAudit, InboxJob, InboxWorker, PollWatermark, SourcePause

admin.site.site_header = "ServiceOps"
admin.site.site_title = "ServiceOps"
admin.site.index_title = "Overview"


class RegisteredFilter(admin.SimpleListFilter):
    """A filter on a text column whose values this process knows; asking the table for them would read all of it."""

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(**{str(self.parameter_name): self.value()}) if self.value() else queryset


class SourceFilter(RegisteredFilter):
    title = parameter_name = "source"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(source.name, source.name) for source in registry.sources()]


class MessageTypeFilter(RegisteredFilter):
    title = "message type"
    parameter_name = "message_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        types = {name for source in registry.sources() for name in source.message_types}
        return [(name, name) for name in sorted(types)]


@admin.register(InboxJob)
class InboxJobAdmin(ReadOnlyAdmin):
    list_display = [
        "inbox_id",
        "status",
        "source",
        "message_type",
        "message_id",
        "decision_tracking_id",
        "attempt_count",
        "next_attempt_at",
        "locked_by",
        "short_error",
    ]
    list_filter = ["status", SourceFilter, MessageTypeFilter]
    search_fields = ["inbox_id", "message_id", "decision_tracking_id"]
    search_help_text = "An inbox id, a message id or a decision tracking id, in full."

    @admin.display(description="last error", empty_value="-")
    def short_error(self, job: InboxJob) -> str | None:
        return Truncator(job.last_error).chars(80) if job.last_error else None


@admin.register(PollWatermark)
class PollWatermarkAdmin(ReadOnlyAdmin):
    list_display = ["source", "last_created_at", "last_message_id", "pruned_before", "reconcile_finds", "updated_at"]


@admin.register(SourcePause)
class SourcePauseAdmin(ReadOnlyAdmin):
    list_display = ["source", "reason", "paused_since", "next_try_at", "tries"]


@admin.register(InboxWorker)
class InboxWorkerAdmin(ReadOnlyAdmin):
    list_display = [
        "worker_id",
        "command",
        "state",
        "started_at",
        "last_seen_at",
        "done_count",
        "failed_count",
        "dead_count",
    ]
    list_filter = ["state", "command"]
    search_fields = ["worker_id", "instance_id"]
    search_help_text = "A worker id or an instance id, in full."


@admin.register(InboxAudit)
class InboxAuditAdmin(ReadOnlyAdmin):
    list_display = ["id", "at", "who", "verb", "object", "reason"]
    search_fields = ["object", "who"]
    search_help_text = "An object such as job:17, or a name, in full."
