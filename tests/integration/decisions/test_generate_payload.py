"""The JSON Generator is asked for each payload of a version that needs one, and for no other."""

import psycopg
import pytest
from django.db import connection

from decisions.generator.client import ask
from decisions.generator.job import needs_payload
from decisions.models import ClinicalOpsMessage
from decisions.pretend.behaviour import Behaviour
from inbox.models import InboxJob
from inbox.outcomes import Verdict
from tests.support.generator import REQUEST, decision, fresh, job_for, jobs, superseded, work
from tests.support.rows import job, seconds_ago, tracking_id

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick_generator")]


# The request.


def test_the_request_names_the_case_and_the_key_of_the_version(generator):
    served = generator()
    version = decision(7, clinical_decision="NON_AFFIRM")
    asked = job_for(version)
    work()
    assert fresh(asked).status == "DONE"
    assert served.requests == [(f"payload-{version.pk}", {"decision_tracking_id": str(tracking_id(7))})]
    [row] = ClinicalOpsMessage.objects.all()
    assert row.json_sent_to_integration is True
    assert [procedure["decisionIndicator"] for procedure in row.payload["procedures"]] == ["N"]


def test_each_try_carries_the_same_key(generator):
    served = generator(Behaviour.FAIL, Behaviour.DROP, 429)
    [asked] = jobs(1)
    for _ in range(4):
        InboxJob.objects.update(next_attempt_at=seconds_ago(1))
        work()
    assert fresh(asked).status == "DONE"
    assert len({key for key, _ in served.requests}) == 1
    assert served.counts() == {"requests": 4, "accepted": 1, "repeated": 1, "most_at_once": 1}
    assert ClinicalOpsMessage.objects.count() == 1


def test_a_slash_at_the_end_of_the_address_and_a_path_in_it_are_kept_apart(generator, settings):
    served = generator()
    settings.JSON_GENERATOR_BASE_URL = f"{served.url}/elsewhere"
    outcome = ask(REQUEST)
    assert (outcome.verdict, outcome.text.split(":")[0]) == (Verdict.DEAD, "the JSON Generator answered 404")


def test_no_proxy_of_the_environment_is_used(generator, monkeypatch):
    generator()
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert ask(REQUEST).verdict is Verdict.DONE


# Versions that need no payload.


@pytest.mark.parametrize(
    ("fields", "is_needed"),
    [
        ({}, True),
        ({"clinical_decision": "NON_AFFIRM"}, True),
        ({"clinical_decision": "PENDING"}, False),
        ({"esmd_request_status": "SENT"}, False),
        ({"esmd_request_status": "ACKED"}, False),
        ({"esmd_request_status": "FAILED"}, False),
        ({"is_active": False}, False),
    ],
)
def test_a_version_needs_a_payload(fields, is_needed):
    assert needs_payload(decision(1, **fields)) is is_needed


def test_a_version_that_is_gone_is_ignored(generator):
    served = generator()
    asked = job(source="json_generator", message_type="generate_payload", message_id=12345)
    work()
    assert (fresh(asked).status, fresh(asked).note) == ("DONE", "the decision version no longer exists")
    assert not served.requests


def test_a_later_version_of_the_round_still_needs_the_payload(generator):
    served = generator()
    first = superseded(1)
    decision(1, supersedes=first)
    asked = job_for(first)
    work()
    assert fresh(asked).status == "DONE"
    assert [key for key, _ in served.requests] == [f"payload-{first.pk}"]


@pytest.mark.parametrize(
    ("later", "note"),
    [
        ({"decision_round": 2}, "superseded by decision round 2"),
        ({"esmd_request_status": "SENT"}, "the active decision version needs no payload (AFFIRM, SENT)"),
        ({"clinical_decision": "PENDING"}, "the active decision version needs no payload (PENDING, NOT_SENT)"),
        ({"is_active": False}, "the packet has no active decision"),
    ],
)
def test_what_is_superseded_is_ignored_with_the_reason(generator, later, note):
    served = generator()
    first = superseded(1)
    decision(1, supersedes=first, **later)
    asked = job_for(first)
    work()
    assert (fresh(asked).status, fresh(asked).note) == ("DONE", note)
    assert not served.requests


def test_the_generator_writes_into_the_row_of_the_decision_if_that_is_free(generator):
    decision(1)
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}) as raw:
        raw.execute(
            "INSERT INTO service_ops_send_serviceops (decision_tracking_id, clinical_ops_decision_json)"
            " VALUES (%s, '{}')",
            [tracking_id(1)],
        )
    served = generator(Behaviour.TWICE)
    served.accept("key", str(tracking_id(1)), rows=2)
    rows = ClinicalOpsMessage.objects.order_by("message_id").values_list("json_sent_to_integration", flat=True)
    assert list(rows) == [True, True]
