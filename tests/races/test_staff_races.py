"""People and clicks at the same moment: one decides, and the other gets a notice."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection, connections, transaction
from django.test import Client

from decisions.case import lock_case
from tests.support.cases import packet
from tests.support.pages.packet_page import REASON, TYPED, form_of, page, sent_by, submit, text_of

pytestmark = pytest.mark.django_db


def at_once(*posts):
    """Send these at the same time, each over a connection of its own; returns the answers."""
    barrier = Barrier(len(posts))

    def post(client, url, data):
        try:
            barrier.wait(10)
            return client.post(url, data)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(posts)) as pool:
        return [future.result() for future in [pool.submit(post, *arguments) for arguments in posts]]


def logged_in(name):
    client = Client()
    client.force_login(User.objects.create_superuser(name))
    return client


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("action", ["approve", "clinical-decision", "move"])
def test_of_two_people_at_once_one_decides_and_the_other_is_told(action):
    of, people = packet(), [logged_in("ada"), logged_in("grace")]
    typed = {"reason": REASON, **TYPED[action]}
    answers = at_once(*[(client, page(of, action), form_of(client, of, action) | typed) for client in people])
    assert sorted(answer.status_code for answer in answers) == [302, 409]
    [told] = [answer for answer in answers if answer.status_code == 409]
    assert "meanwhile" in text_of(told)
    assert LogEntry.objects.count() == 1
    assert of.events.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("action", ["approve", "dismiss", "move"])
def test_of_two_clicks_at_once_one_decides_and_the_other_finds_it_done(action):
    of, client = packet(), logged_in("ada")
    data = form_of(client, of, action) | {"reason": REASON, **TYPED[action]}
    clones = [Client(), Client()]
    for clone in clones:
        clone.cookies = client.cookies
    answers = at_once(*[(clone, page(of, action), data) for clone in clones])
    assert [answer.status_code for answer in answers] == [302, 302]
    assert LogEntry.objects.count() == 1
    assert of.events.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_packet_that_is_being_worked_on_is_said_and_nothing_is_lost():
    of, client = packet(), logged_in("ada")
    form = form_of(client, of, "approve")

    def submitted():
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '50ms'")
            return submit(client, of, "approve", form)
        finally:
            connections.close_all()

    with transaction.atomic(), ThreadPoolExecutor(1) as pool:
        lock_case(of.pk)
        told = pool.submit(submitted).result()
    assert told.status_code == 409
    assert "someone else is working on the packet" in text_of(told)
    assert REASON.replace("&", "&amp;") in text_of(told)
    assert "done. The packet" in text_of(submit(client, of, "approve", sent_by(told)))
