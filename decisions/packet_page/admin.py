"""The page of a packet with its decision: what is decided, what can be done now, and the history."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from decisions.models import PacketDecision
from decisions.packet_page.actions import ACTIONS, sees_decisions, sees_events, why_not
from decisions.packet_page.history import history
from decisions.packet_page.packet_form import PacketForm, read_case
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
        return PacketForm.paths(self, ACTIONS) + super().get_urls()

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        case = read_case(row)
        return super().page_context(request, row) | {
            "packet": row,
            "decision": masked(case.active, request),
            "actions": [
                (action, self.url_of(row, action.name))
                for action in ACTIONS
                if why_not(action, case) is None and request.user.has_perm(action.permission)
            ],
            "history": history(row, withheld(request, PacketDecision)),
            "sees_decisions": sees_decisions(request.user),
            "sees_events": sees_events(request.user),
        }
