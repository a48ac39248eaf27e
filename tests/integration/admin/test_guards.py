"""Permissions on the pages of operators and staff."""

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

from inbox.models import InboxAudit, InboxCorrection
from packets.models import Packet
from tests.support.cases import packet
from tests.support.pages.forged_posts import CASE, FORGED, JOB_PAGES, LIST, PACKET_PAGES, page, rows, somebody, text_of
from tests.support.rows import job, tracking_id

pytestmark = pytest.mark.django_db


def test_only_staff_gets_to_a_form_and_no_browser_keeps_it(dead_message):
    """Whatever else somebody may: the forms are pages of the admin."""
    everything = Permission.objects.values_list("codename", flat=True)
    clients = [Client(), somebody(*everything, is_staff=False)]
    boss = Client()
    boss.force_login(User.objects.create_superuser("boss"))
    of = packet()
    before = rows()
    pages = [page(dead_message, name) for name in JOB_PAGES] + [page(of, name) for name in PACKET_PAGES]
    for address in pages:
        for client in clients:
            for got in (client.get(address), client.post(address, FORGED)):
                assert (got.status_code, "/login/" in got.headers.get("Location", "")) == (302, True), address
        assert "no-store" in boss.get(address).headers["Cache-Control"]
    assert rows() == before


@pytest.mark.parametrize(
    ("codenames", "may_correct", "may_reveal"),
    [
        (["view_inboxjob", "correct_job", "reveal_payload"], True, True),
        (["view_inboxjob", "correct_job"], False, False),
        (["view_inboxjob", "reveal_payload"], False, True),
        (["view_inboxjob", "operate_job"], False, False),
        (["correct_job", "reveal_payload", "operate_job"], False, False),
    ],
)
def test_correcting_needs_the_right_to_see_and_seeing_needs_the_page(dead_message, codenames, may_correct, may_reveal):
    client = somebody(*codenames)
    text = text_of(client.get(page(dead_message)))
    assert ("Correct and requeue" in text) == may_correct
    assert ("Reveal (this is logged)" in text) == may_reveal
    assert (client.post(page(dead_message, "correct"), {"open": "yes"}).status_code == 200) == may_correct
    assert (client.post(page(dead_message, "correct"), FORGED).status_code != 403) == may_correct
    assert (client.post(page(dead_message, "reveal")).status_code == 200) == may_reveal
    assert not InboxCorrection.objects.exists()


def test_an_action_on_a_job_takes_the_permission_to_see_jobs(dead_message):
    client = somebody("operate_job", "correct_job", "reveal_payload")
    for name in JOB_PAGES:
        assert client.post(page(dead_message, name), FORGED).status_code == 403
    assert client.post(LIST, {"action": "requeue", ACTION_CHECKBOX_NAME: [dead_message.pk]}).status_code == 403


def test_a_page_links_and_tells_only_what_the_person_may_see(dead_message):
    of = packet()
    InboxAudit.objects.create(who="ada", verb="requeue", reason="told by nobody", object=f"job:{dead_message.pk}")
    source = reverse("admin:packets_integrationmessage_change", args=[dead_message.message_id])
    text = text_of(somebody("view_inboxjob").get(page(dead_message)))
    assert page(of) not in text
    assert source not in text
    assert "told by nobody" not in text
    text = text_of(somebody("view_inboxjob", "view_packet", "view_inboxaudit").get(page(dead_message)))
    assert page(of) in text
    assert source not in text
    assert "told by nobody" in text


def test_what_somebody_elses_program_said_is_shown_by_a_reveal_only():
    error = {
        "attempt": 1,
        "worker": "w",
        "at": "2031-02-03T04:05:06+00:00",
        "kind": "Refused",
        "message": "answered 422",
    }
    fields = {"source": "json_generator", "message_type": "generate_payload", "status": "DEAD"}
    made = job(errors=[error | {"said": "no such SECRET"}], last_error="answered 422", error_kind="Refused", **fields)
    for client in (somebody("view_inboxjob", "operate_job"), editor := somebody("view_inboxjob", "reveal_payload")):
        text = text_of(client.get(page(made)))
        assert "Refused: answered 422. Response: not shown" in text
        assert "SECRET" not in text
    assert "Reveal (this is logged)" in text
    assert "Response: no such SECRET" in text_of(editor.post(page(made, "reveal")))
    assert InboxAudit.objects.get().object == f"job:{made.pk}"


def test_a_packet_is_not_opened_by_get_and_who_may_only_open_is_not_led_to_its_page():
    address = reverse("admin:packets_packet_add")
    new = {"decision_tracking_id": str(CASE), "channel_type_id": "2", "reason": "called"}
    client = somebody("add_packet")
    assert client.get(address, new).status_code == 200
    assert not Packet.objects.exists()
    assert client.post(address, new).url == reverse("admin:index")
    assert Packet.objects.exists()


@pytest.mark.parametrize("role", ["viewer", "operator", "editor"])
def test_no_role_of_operators_decides_or_opens_a_packet(role):
    user = User.objects.create_user("somebody", is_staff=True)
    user.groups.set(Group.objects.filter(name=role))
    client = Client()
    client.force_login(user)
    of = packet()
    before = rows()
    text = text_of(client.get(page(of)))
    for name in PACKET_PAGES:
        assert page(of, name) not in text
        assert client.get(page(of, name)).status_code == client.post(page(of, name), FORGED).status_code == 403
    new = {"decision_tracking_id": str(tracking_id(2)), "channel_type_id": "2", "reason": "called"}
    assert client.post(reverse("admin:packets_packet_add"), new).status_code == 403
    assert rows() == before
