"""Operators and workers at the same moment, in sessions of their own."""

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from django.urls import reverse

from inbox.models import InboxAudit, InboxJob
from tests.probe import in_threads
from tests.rows import job

pytestmark = pytest.mark.django_db(transaction=True)


def page(of, action):
    return reverse(f"admin:inbox_inboxjob_{action}", args=[of.pk])


def operator(name):
    client = Client()
    client.force_login(User.objects.create_superuser(name))
    return client


def test_of_two_operators_at_once_one_acts_and_the_other_is_told():
    made = job(status="FAILED")
    clients = {name: operator(name) for name in ("ada", "bob")}
    verbs = {"ada": "requeue", "bob": "mark-dead"}
    seen = {name: client.get(page(made, verbs[name])).context["seen"] for name, client in clients.items()}

    def act(name):
        data = {"seen": seen[name], "reason": f"says {name}"}
        return clients[name].post(page(made, verbs[name]), data).status_code

    answers = in_threads(lambda: act("ada"), lambda: act("bob"))
    assert sorted(answers) == [302, 409]
    winner = "ada" if answers[0] == 302 else "bob"
    assert InboxAudit.objects.get().who == winner
    assert InboxJob.objects.get().status == {"ada": "NEW", "bob": "DEAD"}[winner]


def test_a_job_that_a_worker_has_locked_is_left_alone_and_the_operator_is_told():
    made = job(status="PROCESSING")
    client = operator("ada")
    seen = client.get(page(made, "release-lease")).context["seen"]

    def post():
        return client.post(page(made, "release-lease"), {"seen": seen, "reason": "it hangs"})

    with transaction.atomic():
        InboxJob.objects.select_for_update().get(pk=made.pk)
        [answer] = in_threads(post)
    assert answer.status_code == 409
    assert "has the job locked just now" in answer.content.decode()
    assert InboxJob.objects.get().status == "PROCESSING"
