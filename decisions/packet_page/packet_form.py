"""The form by which staff do something to a packet.

The submission's id is the verb's correlation_id. The audit keeps it, with who did what and why, beside the packet's
events and the admin's own log.
"""

from typing import Any
from uuid import UUID

from django import forms

from decisions.case import Case, lock_case
from decisions.errors import DecisionRefused
from decisions.models import PacketDecision
from decisions.packet_page.actions import Action, sees_decisions, why_not
from decisions.packet_page.changes import PAYLOAD
from decisions.packet_page.forms import ChoiceForm
from inbox.admin_pages.guarded_form import GuardedForm, Refused
from inbox.admin_pages.privacy import masked
from inbox.engine.audit import Change, record
from inbox.operations.submission import Submission
from packets.models import Packet
from packets.move_packet import MoveRefused


def read_case(packet: Packet) -> Case:
    """The case to show; unlike lock_case it locks nothing, so it may be another one a moment later."""
    return Case(packet, PacketDecision.objects.defer(PAYLOAD).filter(packet=packet, is_active=True).first())


class PacketForm(GuardedForm):
    template = "admin/decisions/packet_action.html"
    in_use = "someone else is working on the packet; try again in a moment"
    row: Packet
    asked: Action

    def read(self) -> None:
        super().read()
        self.case = read_case(self.row)

    @property
    def row_name(self) -> str:
        return str(self.row)

    @property
    def seen(self) -> str:
        return self.asked.seen(self.case)

    @property
    def status(self) -> str:
        return f"The packet is at {self.row.detailed_status}."

    def why_not(self) -> str | None:
        return why_not(self.asked, self.case)

    def make_form(self, data: Any = None) -> forms.Form:
        return self.asked.form(data)

    def perform(self, typed: dict[str, Any], sent: Submission) -> bool:
        correlation_id = UUID(sent.request_id)
        seen = self.asked.read_seen(self.seen_before)
        try:
            before = lock_case(self.row.pk).packet.detailed_status
            made = self.asked.verb(self.row.pk, by=self.who, correlation_id=correlation_id, seen=seen, **typed)
        except (DecisionRefused, MoveRefused) as refusal:
            raise Refused(str(refusal)) from None
        if isinstance(made, PacketDecision) and made.correlation_id != correlation_id:
            return False
        self.row.refresh_from_db(fields=["detailed_status"])
        after = {"detailed_status": self.row.detailed_status} | sent._asdict()
        change = Change(self.admin.audited_name(self.row), {"detailed_status": before}, after)
        record([change], who=self.who, verb=self.asked.label.lower(), reason=typed["reason"])
        self.admin.log_change(self.request, self.row, f"{self.asked.label}: {typed['reason']}")
        return True

    def context(self, form: forms.Form) -> dict[str, Any]:
        if isinstance(form, ChoiceForm):
            form.offer([] if self.why_not() else self.asked.choices(self.case) or [])
        return {
            "packet": self.row,
            "decision": masked(self.case.active, self.request),
            "sees_decisions": sees_decisions(self.request.user),
            "last_event": self.row.events.order_by("-pk").first(),
        }
