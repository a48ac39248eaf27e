"""The page of a packet with its decision: what is decided, what can be done now, and the history."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse

from decisions.models import PacketDecision
from decisions.packet_page.actions import ACTIONS, possible_actions
from decisions.packet_page.history import history
from decisions.packet_page.packet_form import PacketForm, read_case
from decisions.packet_page.permissions import sees_decisions, sees_events
from inbox.admin_pages.privacy import masked, withheld
from packets.admin import DocumentInline, PacketAdmin
from packets.models import Packet

admin.site.unregister(Packet)


@admin.register(Packet)
class DecidedPacketAdmin(PacketAdmin):
    # The history replaces the list of events.
    inlines = [DocumentInline]
    change_form_template = "admin/decisions/packet_page.html"

    def get_urls(self) -> list[Any]:
        return [
            path(
                f"<int:packet_id>/{action.name}/",
                self.admin_site.admin_view(self.action_view),
                {"action": action},
                name=f"packets_packet_{action.name}",
            )
            for action in ACTIONS
        ] + super().get_urls()

    def action_view(self, request: HttpRequest, packet_id: int, action: Any) -> HttpResponse:
        return PacketForm(self, request, packet_id, action).answer()

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        case = read_case(row)
        return super().page_context(request, row) | {
            "packet": row,
            "decision": masked(case.active, request),
            "actions": [
                (action, reverse(f"admin:packets_packet_{action.name}", args=[row.pk]))
                for action in possible_actions(case)
                if request.user.has_perm(action.permission)
            ],
            "history": history(row, withheld(request, PacketDecision)),
            "sees_decisions": sees_decisions(request.user),
            "sees_events": sees_events(request.user),
        }
