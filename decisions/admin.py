"""Admin pages of decisions and of the messages about them."""

from typing import Any

from django.contrib import admin
from django.utils.html import format_html

from decisions.models import ClinicalOpsMessage, DecisionMessage, PacketDecision, SendClinicalOps, SendIntegration
from decisions.packet_page.admin import DecidedPacketAdmin
from inbox.admin_pages.read_only import ReadOnlyAdmin
from packets.links import link_to

__all__ = ["DecidedPacketAdmin"]


STATUSES = ["decision_type", "operational_decision", "clinical_decision", "esmd_request_status", "utn_status"]
OUTBOX = ["message_id", "decision_tracking_id", "dedupe_key", "message_status_id"]


@admin.display(description="esmd payload")
def payload_message(version: PacketDecision) -> str | None:
    """A link to the message that holds the payload of the version."""
    digest = version.esmd_payload_digest
    messages = DecisionMessage.objects.filter(packet=version.packet_id, content__payload_digest=digest)
    key = messages.order_by("pk").values_list("pk", flat=True).first() if digest else None
    if key is None:
        return None
    link = link_to(DecisionMessage, key, "Decision message", f"in message {key}")
    return format_html('<a href="{}">{}</a>', link.url, link.text)


@admin.register(PacketDecision)
class PacketDecisionAdmin(ReadOnlyAdmin):
    list_display = [
        "packet_decision_id",
        "packet",
        "decision_round",
        "is_active",
        *STATUSES,
        "requires_utn_fix",
        "created_at",
    ]
    list_filter = ["is_active", "requires_utn_fix", *STATUSES]
    list_select_related = ["packet"]
    search_fields = ["packet_decision_id", "packet__external_id", "packet__decision_tracking_id", "correlation_id"]
    search_help_text = "A decision's number, a packet id, a decision tracking id or a correlation id, in full."

    def get_fields(self, request: Any, obj: Any = None) -> Any:
        return [*super().get_fields(request, obj), payload_message]


@admin.register(DecisionMessage)
class DecisionMessageAdmin(ReadOnlyAdmin):
    list_display = ["id", "packet", "kind", "source", "message_id", "revision", "created_at", "said_at", "handled_at"]
    list_filter = ["kind"]
    list_select_related = ["packet"]
    search_fields = ["message_id", "packet__external_id", "packet__decision_tracking_id"]
    search_help_text = "A message id, a packet id or a decision tracking id, in full."


@admin.register(ClinicalOpsMessage)
class ClinicalOpsMessageAdmin(ReadOnlyAdmin):
    list_display = [
        "message_id",
        "decision_tracking_id",
        "json_sent_to_integration",
        "decision_revision",
        "is_decision_ingested",
        "payload_revision",
        "is_payload_ingested",
        "created_at",
        "is_deleted",
    ]
    list_filter = ["json_sent_to_integration", "is_decision_ingested", "is_payload_ingested", "is_deleted"]
    search_fields = ["message_id", "decision_tracking_id"]
    search_help_text = "A message id or a decision tracking id, in full."


class OutboxAdmin(ReadOnlyAdmin):
    list_filter = ["message_status_id", "is_deleted"]
    search_fields = ["message_id", "decision_tracking_id", "dedupe_key"]
    search_help_text = "A message id, a decision tracking id or a dedupe key, in full."


@admin.register(SendIntegration)
class SendIntegrationAdmin(OutboxAdmin):
    list_display = [*OUTBOX, "attempt_count", "created_at"]


@admin.register(SendClinicalOps)
class SendClinicalOpsAdmin(OutboxAdmin):
    list_display = [*OUTBOX, "is_picked", "error_reason", "created_at"]
    list_filter = ["message_status_id", "is_picked", "is_deleted"]
