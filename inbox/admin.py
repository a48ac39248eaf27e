"""Admin pages of the inbox."""

from django.contrib import admin

from inbox.admin_pages.job_admin import InboxJobAdmin
from inbox.admin_pages.read_only import ReadOnlyAdmin
from inbox.models import InboxAudit, InboxCorrection, InboxWorker, PollWatermark, SourcePause

__all__ = ["InboxJobAdmin"]

COUNTS = ["done_count", "failed_count", "dead_count"]

admin.site.site_header = "ServiceOps"
admin.site.site_title = "ServiceOps"
admin.site.index_title = "Overview"


@admin.register(PollWatermark)
class PollWatermarkAdmin(ReadOnlyAdmin):
    list_display = ["source", "last_created_at", "last_message_id", "pruned_before", "reconcile_finds", "updated_at"]


@admin.register(SourcePause)
class SourcePauseAdmin(ReadOnlyAdmin):
    list_display = ["source", "reason", "paused_since", "next_try_at", "tries"]


@admin.register(InboxWorker)
class InboxWorkerAdmin(ReadOnlyAdmin):
    list_display = ["worker_id", "command", "state", "started_at", "last_seen_at", *COUNTS]
    list_filter = ["state", "command"]
    search_fields = ["worker_id", "instance_id"]
    search_help_text = "A worker id or an instance id, in full."


@admin.register(InboxAudit)
class InboxAuditAdmin(ReadOnlyAdmin):
    harmless_json = ("before", "after")
    list_display = ["id", "at", "who", "verb", "object", "reason"]
    search_fields = ["object", "who"]
    search_help_text = "An object such as job:17, or a name, in full."


@admin.register(InboxCorrection)
class InboxCorrectionAdmin(ReadOnlyAdmin):
    list_display = ["id", "job", "made_at", "made_by"]
    list_select_related = ["job"]
    search_fields = ["job__inbox_id"]
    search_help_text = "An inbox id, in full."
