"""UTN answers and payloads whose time can't be read: they count in the first round, and a person says of the others."""

import json

import pytest
from django.urls import reverse

from decisions.models import DecisionMessage, SendIntegration
from inbox import registry
from inbox.engine.sweeps.sweep import SweepKind
from inbox.models import InboxJob
from packets.models import PacketEvent
from tests.support.cases import active, approved, utn, utn_fail
from tests.support.clinical import payload, write, write_decision, write_payload
from tests.support.drain import drain_all, swept
from tests.support.rows import seconds_ago

pytestmark = pytest.mark.django_db(transaction=True)

TIMES = ["-infinity", "4000-01-01 BC", "20000-01-01", "infinity"]
REASON = "its created_at can't be read"


def handle_all():
    """Also of the rows that only a reconcile finds."""
    drain_all()
    swept(registry.source("integration"), SweepKind.RECONCILE)
    drain_all()


def in_round_2():
    """A case that was answered twice, and has its payload."""
    case = approved()
    write_decision(created_at=seconds_ago(100))
    write_decision(indicator="N", created_at=seconds_ago(80))
    write_payload(indicator="N", created_at=seconds_ago(70))
    drain_all()
    return case


def job_of(source, message_id):
    return InboxJob.objects.get(source=source, message_id=message_id)


def correct(client, of, content):
    page = reverse("admin:inbox_inboxjob_correct", args=[of.pk])
    shown = client.post(page, {"open": "yes"})
    form = {"seen": shown.context["seen"], "reason": "called them", "message_type": of.message_type}
    assert client.post(page, form | {"content": json.dumps(content)}).status_code == 302


@pytest.mark.parametrize("time", TIMES)
def test_a_utn_that_may_be_of_an_earlier_round_is_dead_until_a_person_says_that_it_counts(client, time):
    case = in_round_2()
    dead = job_of_utn(time)
    assert (dead.status, dead.last_error.partition(",")[0]) == ("DEAD", REASON)
    assert active(case).utn_status == "NONE"
    event = PacketEvent.objects.filter(packet=case).last()
    assert (event.what, event.job_id, event.reason) == ("answer_ignored", dead.pk, dead.last_error)
    # The same message, without a change.
    correct(client, dead, {"message_type": "UTN", "unique_tracking_number": "UTN-FAKE-000001"})
    drain_all()
    assert job_of("integration", dead.message_id).status == "DONE"
    version = active(case)
    assert (version.utn, version.utn_status, version.clinical_decision) == ("UTN-FAKE-000001", "SUCCESS", "NON_AFFIRM")
    assert SendIntegration.objects.filter(dedupe_key=f"letter:{case.pk}:{version.decision_round}").count() == 1


def job_of_utn(time):
    message = utn(created_at=time)
    handle_all()
    return job_of("integration", message)


@pytest.mark.parametrize("time", TIMES)
def test_in_the_first_round_it_counts_and_another_one_that_says_the_same_is_ignored(time):
    case = approved()
    write_decision(created_at=seconds_ago(100))
    first = job_of_utn(time)
    assert (first.status, first.note, active(case).utn_status) == ("DONE", None, "SUCCESS")
    again = job_of_utn(time)
    assert (again.status, again.note) == ("DONE", "it changes nothing")


def test_a_success_that_may_be_older_than_a_failure_is_dead():
    case = approved()
    write_decision(created_at=seconds_ago(100))
    utn_fail(created_at=seconds_ago(90))
    drain_all()
    assert job_of_utn("infinity").status == "DEAD"
    assert active(case).utn_status == "FAILED"


@pytest.mark.parametrize("time", TIMES)
def test_a_clinical_answer_counts_as_the_oldest_and_says_why(time):
    case = approved()
    write_decision(created_at=seconds_ago(100))
    drain_all()
    message = write_decision(indicator="N", created_at=time)
    drain_all()
    ignored = job_of("clinical_decision", message)
    assert (ignored.status, active(case).clinical_decision) == ("DONE", "AFFIRM")
    assert "its own created_at can't be read, so it counts as the oldest" in ignored.note
    assert PacketEvent.objects.filter(packet=case).last().reason == ignored.note


@pytest.mark.parametrize("time", ["-infinity", "infinity"])
def test_a_payload_that_may_be_of_an_earlier_round_is_dead_and_none_is_asked_for_again(client, time):
    case = in_round_2()
    kept = DecisionMessage.objects.filter(packet=case).count()
    requests = InboxJob.objects.filter(source="json_generator").count()
    other = payload("N", documentation=["fake/other.pdf"])
    message = write(json_sent_to_integration=True, payload=other, created_at=time)
    drain_all()
    dead = job_of("generated_payload", message)
    assert (dead.status, dead.last_error.partition(",")[0]) == ("DEAD", REASON)
    assert DecisionMessage.objects.filter(packet=case).count() == kept
    assert InboxJob.objects.filter(source="json_generator").count() == requests
    before = active(case).esmd_payload_digest
    correct(client, dead, other)
    drain_all()
    assert job_of("generated_payload", message).status == "DONE"
    assert active(case).esmd_payload_digest != before
