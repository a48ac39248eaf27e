"""Requests that no page of ours has made: clients with chosen permissions, and a form that fits every action."""

from uuid import uuid4

from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from decisions.models import PacketDecision
from decisions.packet_page.actions import ACTIONS as PACKET_ACTIONS
from inbox.models import InboxAudit, InboxCorrection, InboxJob
from inbox.operations.verbs import OPERATIONS
from packets.models import Packet, PacketEvent
from tests.support.rows import esmd, job, send, tracking_id

CASE = tracking_id(1)
LIST = reverse("admin:inbox_inboxjob_changelist")
JOB_PAGES = [action.name for action in OPERATIONS] + ["correct", "reveal"]
PACKET_PAGES = [action.name for action in PACKET_ACTIONS]


def page(of, action="change"):
    """The address of a page of a job or a packet."""
    return reverse(f"admin:{of._meta.app_label}_{of._meta.model_name}_{action}", args=[of.pk])


def somebody(*codenames, is_staff=True):
    """A client of a person with these permissions."""
    user = User.objects.create_user(f"user {uuid4()}", is_staff=is_staff)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def text_of(answer):
    """The HTML of a response."""
    return answer.content.decode()


def message(status):
    """A job of Integration with its source row."""
    fields = {"source": "integration", "message_type": "intake", "message_id": send(esmd(CASE), CASE)}
    return job(status=status, decision_tracking_id=CASE, **fields)


def rows():
    """All that an action may change, to compare before and after."""
    models = (InboxJob, InboxAudit, InboxCorrection, Packet, PacketEvent, PacketDecision)
    return [list(model.objects.order_by("pk").values()) for model in models]


FORGED = {
    "reason": "x",
    "seen": "",
    "to": "AFFIRM",
    "content": "{}",
    "message_type": "intake",
    "denial_reason": "OTHER",
}


def operator():
    """A client of an operator."""
    return somebody("view_inboxjob", "operate_job")
