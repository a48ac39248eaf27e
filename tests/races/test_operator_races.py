"""Operators and workers at the same moment, in sessions of their own."""

import re
import time

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from django.urls import reverse

from inbox.engine import audit
from inbox.engine.finish import finish
from inbox.engine.heartbeat import renew_claims
from inbox.models import InboxAudit, InboxJob
from inbox.operations.operation import apply
from inbox.operations.verbs import RESCHEDULE
from inbox.outcomes import retry
from inbox.registry import LockedJob
from tests.support.probe import in_threads
from tests.support.rows import job

pytestmark = pytest.mark.django_db(transaction=True)

LIST = reverse("admin:inbox_inboxjob_changelist")


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


@pytest.mark.parametrize("verb", ["requeue", "reschedule"])
def test_two_clicks_at_once_do_it_once_and_both_are_told_so(verb, monkeypatch):
    made = job(status="FAILED")
    client = operator("ada")
    shown = client.get(page(made, verb))
    data = {name: shown.context[name] for name in ("seen", "request_id")} | {"reason": "x"}
    clients = [Client(), Client()]
    for one in clients:
        one.cookies = client.cookies

    # The first one has the job when the second one comes.
    record = audit.record

    def slowly(*arguments, **named):
        time.sleep(0.3)
        return record(*arguments, **named)

    monkeypatch.setattr("inbox.operations.operation.record", slowly)
    answers = in_threads(*[lambda one=one: one.post(page(made, verb), data).status_code for one in clients])
    assert answers == [302, 302]
    assert InboxAudit.objects.count() == 1


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
    assert "a worker has the job locked" in answer.content.decode()
    assert InboxJob.objects.get().status == "PROCESSING"


def ask_of_all(client, action, query):
    data = {"action": action, ACTION_CHECKBOX_NAME: ["1"], "select_across": "1"}
    return client.post(LIST + query, data)


def confirm(client, shown, query):
    hidden = dict(re.findall(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)"', shown.content.decode()))
    return client.post(LIST + query, hidden | {"reason": "all of them"}, follow=True).content.decode()


def test_a_job_that_failed_after_the_page_is_left_alone_though_its_transaction_began_before():
    """Its updated_at is when its handler's transaction began; the page, which saw it PROCESSING, did not count it."""
    counted, running = job(status="FAILED"), job(status="PROCESSING")
    client = operator("ada")
    with transaction.atomic():
        InboxJob.objects.select_for_update().get(pk=running.pk)
        [shown] = in_threads(lambda: ask_of_all(client, "requeue", "?source=test"))
        fields = (running.message_id, 1, "probe", None, None, None, 1, 0.0)
        finish(running.lease_id, "somebody", [(LockedJob(running.pk, *fields), retry("no answer"))])
    assert "1 job requeued." in confirm(client, shown, "?source=test")
    assert statuses(counted, running) == ["NEW", "FAILED"]


def test_what_was_written_before_the_page_and_committed_after_it_is_left_alone():
    """Such as a wake by a handler that runs long."""
    changed, other = job(status="FAILED"), job(status="FAILED")
    client = operator("ada")
    with transaction.atomic():
        jobs = InboxJob.objects.filter(pk=changed.pk)
        apply(RESCHEDULE, jobs, to=None, who="bob", reason="it is up again", limit=1)
        [shown] = in_threads(lambda: ask_of_all(client, "mark-dead", "?status__exact=FAILED"))
    text = confirm(client, shown, "?status__exact=FAILED")
    assert "1 job marked dead. Skipped because they changed after the page was shown: 1." in text
    assert statuses(changed, other) == ["FAILED", "DEAD"]


def test_a_lease_that_a_heartbeat_renews_is_released_unless_somebody_has_the_row():
    beating, locked = job(status="PROCESSING"), job(status="PROCESSING")
    client, query = operator("ada"), "?status__exact=PROCESSING"
    shown = ask_of_all(client, "release-lease", query)
    assert renew_claims(beating.lease_id, [beating.pk], None) == 1
    assert renew_claims(locked.lease_id, [locked.pk], None) == 1
    with transaction.atomic():
        InboxJob.objects.select_for_update().get(pk=locked.pk)
        [text] = in_threads(lambda: confirm(client, shown, query))
    assert "1 job released. Skipped because they were in use: 1." in text
    assert statuses(beating, locked) == ["NEW", "PROCESSING"]


def statuses(*jobs):
    return [InboxJob.objects.get(pk=made.pk).status for made in jobs]
