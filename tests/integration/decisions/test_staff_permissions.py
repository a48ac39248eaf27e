"""Permissions on the page of a packet."""

from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from decisions.models import PacketDecision
from tests.support.cases import approved, packet
from tests.support.pages.packet_page import (
    NAMES,
    REASON,
    TYPED,
    buttons,
    case_for,
    form_of,
    page,
    rows,
    submit,
    text_of,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("action", NAMES)
def test_nobody_acts_without_the_permission(client, action):
    of = case_for(action)
    form = form_of(client, of, action)
    user = User.objects.create_user("viewer", is_staff=True)
    other = "move_packet" if action != "move" else "decide_packet"
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_packet", "change_packet", other]))
    client.force_login(user)
    before = rows()
    assert action not in buttons(client, of)
    assert client.get(page(of, action)).status_code == 403
    assert submit(client, of, action, form, **TYPED[action]).status_code == 403
    assert rows() == before


@pytest.mark.parametrize("action", NAMES)
def test_the_permission_is_enough_for_staff_who_may_see_packets(client, action):
    of = case_for(action)
    user = User.objects.create_user("clerk", is_staff=True)
    own = "move_packet" if action == "move" else "decide_packet"
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_packet", own]))
    client.force_login(user)
    assert action in buttons(client, of)
    assert "done. The packet" in text_of(submit(client, of, action, **TYPED[action]))
    user.user_permissions.set(Permission.objects.filter(codename=own))
    assert client.get(page(of, action)).status_code == 403


def test_whoever_may_see_only_packets_sees_no_history(client):
    of = approved()
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_packet"))
    client.force_login(user)
    text = text_of(client.get(page(of)))
    assert buttons(client, of) == []
    assert "Decision versions" not in text
    assert "Events, oldest" not in text


def test_nobody_acts_without_a_login():
    of = packet()
    got = Client().post(page(of, "approve"), {"reason": REASON, "request_id": uuid4()})
    assert got.status_code == 302
    assert "/login/" in got.url
    assert not PacketDecision.objects.exists()


def test_nobody_acts_without_a_csrf_token(client):
    of = packet()
    form = form_of(client, of, "approve")
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    assert strict.post(page(of, "approve"), form | {"reason": REASON}).status_code == 403
    assert not PacketDecision.objects.exists()
