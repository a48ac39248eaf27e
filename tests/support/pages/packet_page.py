"""The page of a packet as a browser uses it: open a form, fill it in, submit it."""

import re

from django.contrib.admin.models import LogEntry
from django.urls import reverse

from decisions.codes import DenialReason
from decisions.models import PacketDecision
from decisions.packet_page.actions import ACTIONS
from decisions.staff.dismiss import dismiss
from inbox.models import InboxAudit
from packets.models import Packet, PacketEvent
from tests.support.cases import affirmed, answer, decided, fresh, packet

NAMES = [action.name for action in ACTIONS]
REASON = "It looks complete & good."


OTHER = {"denial_reason": DenialReason.OTHER, "denial_details": {"reason": "TEST"}}


def page(of, action="change"):
    """The address of a page of the packet."""
    return reverse(f"admin:packets_packet_{action}", args=[of.pk])


def text_of(answer):
    """The HTML of a response."""
    return answer.content.decode()


def form_of(client, of, action):
    """The fields that a browser would send if the person filled in nothing."""
    answer = client.get(page(of, action))
    assert answer.status_code == 200
    return sent_by(answer)


def sent_by(answer):
    """The hidden fields of the form in a response."""
    return {name: answer.context[name] for name in ("seen", "request_id")}


def submit(client, of, action, form=None, follow=True, **typed):
    """POST a form of the action, by default a newly opened one, with what was typed."""
    data = (form or form_of(client, of, action)) | {"reason": REASON} | typed
    return client.post(page(of, action), data, follow=follow)


KEPT = (Packet, PacketEvent, PacketDecision, LogEntry, InboxAudit)


def rows():
    """All that an action may change, to compare before and after."""
    return [list(model.objects.order_by("pk").values()) for model in KEPT]


def buttons(client, of):
    """The actions that the page of the packet offers."""
    links = re.findall(rf'href="{page(of)[: -len("change/")]}([a-z-]+)/"', text_of(client.get(page(of))))
    return [name for name in links if name in NAMES]


def closed():
    """A packet that was dismissed."""
    made = packet()
    decided(dismiss, made, **OTHER)
    return fresh(made)


def with_utn():
    """A packet with a clinical answer and its UTN."""
    made = affirmed()
    content = {"is_success": True, "utn": "UTN-FAKE-000001"}
    answer(made, content, kind="utn", second=5, message_id=2)
    return fresh(made)


TYPED = {
    "approve": {},
    "affirm": {},
    "dismiss": {"denial_reason": "MISSING_FIELDS", "missingFields": "npi\ndates"},
    "clinical-decision": {"to": "AFFIRM"},
    "operational-decision": {"to": "DISMISSAL_COMPLETE"},
    "move": {"to": "Intake"},
}


def case_for(action):
    """A packet on which the action is possible."""
    return closed() if action == "operational-decision" else packet()
