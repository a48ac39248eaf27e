"""Admin pages of packets. Nothing can be edited; a packet can be opened for a case whose intake has not arrived."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html

from inbox.admin_pages.guarded_form import text_area
from inbox.admin_pages.read_only import ReadOnlyAdmin, ReadOnlyInline
from packets.codes import Channel
from packets.models import IntegrationMessage, Packet, PacketDocument, PacketEvent
from packets.open_packet import open_packet

IDS = ["message_id", "decision_tracking_id"]
STATUSES = ["detailed_status", "validation_status"]


class DocumentInline(ReadOnlyInline):
    model = PacketDocument
    hidden_fields = ("id", "packet")


class EventInline(ReadOnlyInline):
    model = PacketEvent
    hidden_fields = ("id", "packet")


class OpenPacketForm(forms.ModelForm):
    reason = forms.CharField(widget=text_area(3), help_text="Kept in the packet's history.")

    class Meta:
        model = Packet
        fields = ["decision_tracking_id", "channel_type_id"]
        labels = {"channel_type_id": "Channel"}

    def clean(self) -> dict[str, Any]:
        """Skip the parent's check that the packet is new: an existing packet is shown, not refused."""
        return self.cleaned_data


@admin.register(Packet)
class PacketAdmin(ReadOnlyAdmin):
    form = OpenPacketForm
    inlines = [DocumentInline, EventInline]
    list_display = ["external_id", "decision_tracking_id", *STATUSES, "channel", "due_date", "documents"]
    list_filter = [*STATUSES, "channel_type_id", "has_documents"]
    search_fields = ["external_id", "packet_id", "decision_tracking_id", "case_id"]
    search_help_text = "A packet id or a decision tracking id, in full; also a case id if you may see people's data."

    @admin.display(description="channel")
    def channel(self, packet: Packet) -> str:
        return packet.get_channel_type_id_display()

    @admin.display(description="documents")
    def documents(self, packet: Packet) -> str:
        return "yes" if packet.has_documents else format_html("<strong>{}</strong>", "no documents")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return admin.ModelAdmin.has_add_permission(self, request)

    def get_fields(self, request: HttpRequest, obj: Packet | None = None) -> Any:
        return super().get_fields(request, obj) if obj else ["decision_tracking_id", "channel_type_id", "reason"]

    def get_readonly_fields(self, request: HttpRequest, obj: Packet | None = None) -> Any:
        return super().get_readonly_fields(request, obj) if obj else []

    def get_inlines(self, request: HttpRequest, obj: Packet | None) -> Any:
        return self.inlines if obj else []

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        """Open the packet; the parent shows the form and its errors, and refuses users without the permission."""
        form = OpenPacketForm(request.POST or None)
        if request.method != "POST" or not self.has_add_permission(request) or not form.is_valid():
            only_save = {"show_save_and_add_another": False, "show_save_and_continue": False}
            return super().add_view(request, form_url, (extra_context or {}) | only_save)
        packet, is_created = open_packet(
            form.cleaned_data["decision_tracking_id"],
            channel=Channel(form.cleaned_data["channel_type_id"]),
            by=request.user.get_username(),
            reason=form.cleaned_data["reason"],
        )
        url = reverse("admin:packets_packet_change", args=[packet.pk])
        if is_created:
            self.log_addition(request, packet, [{"added": {}}])
            text, level = 'The packet <a href="{}">{}</a> was opened.', messages.SUCCESS
        else:
            text, level = 'The case already has a packet: <a href="{}">{}</a>. Nothing was changed.', messages.WARNING
        self.message_user(request, format_html(text, url, packet), level)
        return HttpResponseRedirect(url if self.has_view_permission(request, packet) else reverse("admin:index"))


@admin.register(PacketDocument)
class PacketDocumentAdmin(ReadOnlyAdmin):
    list_display = ["document_unique_identifier", "packet", "file_name", "mime_type", "file_size"]
    list_select_related = ["packet"]
    search_fields = ["document_unique_identifier", "packet__external_id", "packet__decision_tracking_id"]
    search_help_text = (
        "A packet id or a decision tracking id, in full; also a document identifier if you may see people's data."
    )


@admin.register(PacketEvent)
class PacketEventAdmin(ReadOnlyAdmin):
    list_display = ["id", "at", "packet", "what", "by", "job_id", "from_status", "to_status"]
    list_filter = ["what"]
    list_select_related = ["packet"]
    search_fields = ["job_id", "packet__external_id", "packet__decision_tracking_id"]
    search_help_text = "An inbox id, a packet id or a decision tracking id, in full."


@admin.register(IntegrationMessage)
class IntegrationMessageAdmin(ReadOnlyAdmin):
    list_display = [*IDS, "message_type_id", "channel_type_id", "created_at", "is_deleted"]
    list_filter = ["is_deleted"]
    search_fields = IDS
    search_help_text = "A message id or a decision tracking id, in full."
