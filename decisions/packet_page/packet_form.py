"""Carries out an action of the packet page: GET shows its form and changes nothing, POST does it.

What can go wrong: somebody else has decided since the form was shown. Then nothing is done, and the form is shown again
with all that was typed, why, and what is decided now; to submit that page is to decide upon what it shows.
"""

from typing import Any, NamedTuple
from uuid import uuid4

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.db import OperationalError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse

from decisions.case import Case, lock_case
from decisions.errors import DecisionRefused
from decisions.models import PacketDecision
from decisions.packet_page.actions import Action, why_not
from decisions.packet_page.changes import PAYLOAD
from decisions.packet_page.forms import ActionForm
from decisions.packet_page.permissions import sees_decisions
from inbox.admin_pages.privacy import masked
from packets.models import Packet
from packets.move_packet import MoveRefused

# lock_not_available, deadlock_detected: somebody works on the packet just now.
BUSY = frozenset(["55P03", "40P01"])
TEMPLATE = "admin/decisions/packet_action.html"


class Outcome(NamedTuple):
    """What became of a request, for a message to the person."""

    text: str
    level: int


def act(admin: ModelAdmin, request: HttpRequest, packet_id: int, action: Action) -> HttpResponse:
    """Answer a request for this action of a packet."""
    if not request.user.has_perm(action.permission) or not admin.has_view_permission(request):
        raise PermissionDenied
    packet = get_object_or_404(Packet, pk=packet_id)
    if request.method in ("GET", "HEAD"):
        return _offer(admin, request, packet, action)
    if request.method != "POST":
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    form = action.form(request.POST, choices=[])
    if not form.is_valid():
        return _show(admin, request, packet, action, data=request.POST)
    try:
        outcome = _perform(admin, request, packet, action, form)
    except (DecisionRefused, MoveRefused) as refusal:
        return _show_again(admin, request, packet, action, f"Nothing was done: {refusal}.")
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) not in BUSY:
            raise
        return _show_again(admin, request, packet, action, "Nothing was done: the packet is being worked on just now.")
    admin.message_user(request, outcome.text, outcome.level)
    return HttpResponseRedirect(page_of(packet))


def page_of(packet: Packet) -> str:
    return reverse("admin:packets_packet_change", args=[packet.pk])


def read_case(packet: Packet) -> Case:
    """The case to show; unlike lock_case it locks nothing, so it may be another one a moment later."""
    return Case(packet, PacketDecision.objects.defer(PAYLOAD).filter(packet=packet, is_active=True).first())


def _perform(admin: ModelAdmin, request: HttpRequest, packet: Packet, action: Action, form: ActionForm) -> Outcome:
    by, asked = request.user.get_username(), form.request()
    with transaction.atomic():
        # Locked before the look for an earlier request: of two at once the second one finds what the first one did.
        case = lock_case(packet.pk)
        if action.is_done(case, asked, by):
            return Outcome(f"{action.label}: this was done already; it was not done twice.", messages.INFO)
        if not action.perform(case, asked, by):
            return Outcome(f"{action.label}: it is so already; nothing was changed.", messages.INFO)
        admin.log_change(request, packet, f"{action.label}: {asked['reason']}")
    packet.refresh_from_db(fields=["detailed_status"])
    return Outcome(f"{action.label}: done. The packet is at {packet.detailed_status}.", messages.SUCCESS)


def _offer(admin: ModelAdmin, request: HttpRequest, packet: Packet, action: Action) -> HttpResponse:
    if refusal := why_not(action, read_case(packet)):
        admin.message_user(request, f"{action.label} is not possible now: {refusal}.", messages.WARNING)
        return HttpResponseRedirect(page_of(packet))
    return _show(admin, request, packet, action)


def _show_again(admin: ModelAdmin, request: HttpRequest, packet: Packet, action: Action, why: str) -> HttpResponse:
    packet.refresh_from_db()
    data = request.POST.copy()
    data["seen"] = action.seen(read_case(packet)) or ""
    # Nothing was done, so what comes next is a request of its own, whatever was asked for with this form before.
    data["correlation_id"] = str(uuid4())
    return _show(admin, request, packet, action, data=data, refused=why, status=409)


def _show(
    admin: ModelAdmin,
    request: HttpRequest,
    packet: Packet,
    action: Action,
    *,
    data: Any = None,
    refused: str | None = None,
    status: int = 200,
) -> HttpResponse:
    case = read_case(packet)
    impossible = why_not(action, case)
    initial = {"correlation_id": uuid4(), "seen": action.seen(case)}
    form = action.form(data, choices=[] if impossible else action.choices(case), initial=initial)
    context = {
        **admin.admin_site.each_context(request),
        "title": f"{packet}: {action.label.lower()}",
        "opts": admin.opts,
        "action": action,
        "form": form,
        "media": admin.media + form.media,
        "packet": packet,
        "page": page_of(packet),
        "decision": masked(case.active, request),
        "sees_decisions": sees_decisions(request.user),
        "last_event": packet.events.order_by("-pk").first(),
        "refused": refused,
        "impossible": impossible,
    }
    return TemplateResponse(request, TEMPLATE, context, status=status)
