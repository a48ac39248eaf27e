"""Messages of ClinicalOps and the JSON Generator, corrected by hand: bad, DEAD, corrected, DONE, by their handlers."""

import json

import pytest
from django.db import connection
from django.urls import reverse

from decisions.models import PacketDecision
from inbox import registry
from inbox.engine.claim import claim
from inbox.engine.ingest import ingest
from inbox.engine.work import work
from inbox.models import InboxAudit, InboxCorrection, InboxJob
from tests.support.cases import active, affirmed, fresh, packet, payload_of
from tests.support.clinical import decision, payload, rewrite, write

pytestmark = pytest.mark.django_db

ROW = """
SELECT payload::text, clinical_ops_decision_json::text, json_sent_to_integration, decision_revision, payload_revision
  FROM service_ops_send_serviceops
"""


def rows():
    with connection.cursor() as cursor:
        cursor.execute(ROW)
        return cursor.fetchall()


def run(source):
    ingest(registry.source(source))
    return work(claim(registry.source(source), worker_id="worker A", limit=10))


def page(of, action="change"):
    return reverse(f"admin:inbox_inboxjob_{action}", args=[of.pk])


def correct(client, of, content):
    """Open the form by its button and send the corrected message; returns what the form showed."""
    shown = client.post(page(of, "correct"), {"open": "yes"})
    form = {"seen": shown.context["seen"], "reason": "called them", "message_type": of.message_type}
    got = client.post(page(of, "correct"), form | {"content": json.dumps(content)})
    assert (got.status_code, got.headers.get("Location")) == (302, page(of))
    return json.loads(shown.context["form"]["content"].value())


def answered():
    """A case that waits for its payload."""
    return affirmed()


SENT = {"json_sent_to_integration": True}
# The source, the case, the column of its content, the bad content, the good one, and other columns.
CASES = {
    "answer without a known indicator": ("clinical_decision", packet, decision("a"), decision("A"), {}),
    "answer that is no object": ("clinical_decision", packet, ["A"], decision("N"), {}),
    "answer for another case": (
        "clinical_decision",
        packet,
        decision("A", decision_tracking_id="00000000-0000-4000-8000-000000000077"),
        decision("A"),
        {},
    ),
    "payload without a known part": ("generated_payload", answered, payload(partType="C"), payload(), SENT),
    "payload without procedures": ("generated_payload", answered, payload(procedures=[]), payload(), SENT),
    "payload for another answer": ("generated_payload", answered, payload("N"), payload("A"), SENT),
    "payload that is no object": ("generated_payload", answered, [1], payload(), SENT),
}
COLUMN = {"clinical_decision": "clinical_ops_decision_json", "generated_payload": "payload"}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_row_dies_is_corrected_and_takes_effect_and_stays_as_it_came(client, name):
    source, make, bad, good, more = CASES[name]
    of = make()
    versions = PacketDecision.objects.filter(packet=of).count()
    message_id = write(1, **{COLUMN[source]: bad}, **more)
    assert run(source).dead == 1
    dead = InboxJob.objects.get(source=source)
    assert PacketDecision.objects.filter(packet=of).count() == versions
    came = rows()

    assert correct(client, dead, good) == bad
    assert InboxJob.objects.get(pk=dead.pk).status == "NEW"
    assert run(source).done == 1

    version = active(of)
    if source == "clinical_decision":
        expected = {"A": "AFFIRM", "N": "NON_AFFIRM"}[good["decision_indicator"]]
        assert version.clinical_decision == expected
        assert fresh(of).detailed_status == "Clinical Decision Received"
    else:
        assert (version.esmd_request_status, version.part_type) == ("SENT", "B")
        assert payload_of(version) == good
        assert fresh(of).detailed_status == "Pending - UTN"
    assert PacketDecision.objects.filter(packet=of).count() == versions + 1
    assert rows() == came
    assert InboxCorrection.objects.get().content == good
    entry = InboxAudit.objects.get(verb="correct")
    assert (entry.who, entry.object, entry.before["status"]) == ("boss", f"job:{dead.pk}", "DEAD")
    # Neither the correction nor the effect makes the row new.
    assert ingest(registry.source(source)).count == 0
    assert InboxJob.objects.get(source=source).message_id == message_id


def test_a_correction_that_is_bad_too_dies_again_and_can_be_corrected_again(client):
    of = packet()
    write(1, clinical_ops_decision_json=decision("x"))
    run("clinical_decision")
    dead = InboxJob.objects.get()
    correct(client, dead, decision("y"))
    assert run("clinical_decision").dead == 1
    # It begins with what was handled last.
    assert correct(client, dead, decision("N")) == decision("y")
    assert run("clinical_decision").done == 1
    assert active(of).clinical_decision == "NON_AFFIRM"
    assert InboxCorrection.objects.count() == 2


def test_a_row_that_its_writer_has_corrected_since_wins_over_a_correction_by_hand(client):
    of = packet()
    message_id = write(1, clinical_ops_decision_json=decision("x"))
    run("clinical_decision")
    dead = InboxJob.objects.get()
    correct(client, dead, decision("A"))
    rewrite(message_id, clinical_ops_decision_json=decision("N"))
    assert run("clinical_decision").done == 2
    assert active(of).clinical_decision == "NON_AFFIRM"
    assert InboxJob.objects.get(pk=dead.pk).note == "the row has been corrected since"


def remove(message_id):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM service_ops_send_serviceops WHERE message_id = %s", [message_id])


MARK = "MARKED-VALUE-7731"
LATER = {
    "changed": (
        lambda key: rewrite(key, clinical_ops_decision_json=decision(MARK)),
        "has changed since, and a newer job covers it",
    ),
    "deleted": (lambda key: rewrite(key, is_deleted=True), "was deleted"),
    "gone": (remove, "is gone"),
}


@pytest.mark.parametrize("name", LATER)
def test_what_would_be_ignored_is_not_corrected_and_the_reason_is_said(client, name):
    change, reason = LATER[name]
    packet()
    message_id = write(1, clinical_ops_decision_json=decision("x"))
    run("clinical_decision")
    dead = InboxJob.objects.get()
    shown = client.post(page(dead, "correct"), {"open": "yes"})
    assert "not possible" not in client.get(page(dead)).content.decode()
    looks = InboxAudit.objects.count()
    change(message_id)

    text = client.get(page(dead)).content.decode()
    assert "Correct and requeue is not possible: the source row" in text
    assert reason in text
    assert "job-correct" not in text
    opened = client.post(page(dead, "correct"), {"open": "yes"}, follow=True)
    assert reason in opened.content.decode()
    assert MARK not in opened.content.decode()
    typed = {"content": json.dumps(decision("A")), "message_type": dead.message_type, "reason": "called them"}
    hidden = {field: shown.context[field] for field in ("seen", "request_id")}
    got = client.post(page(dead, "correct"), hidden | typed)
    assert got.status_code == 409
    assert "Nothing has been changed: the source row" in got.content.decode()
    assert got.context["form"]["content"].value() == typed["content"]
    assert (InboxJob.objects.get(pk=dead.pk).status, InboxAudit.objects.count()) == ("DEAD", looks)
    assert not InboxCorrection.objects.exists()
    # The others do not depend on what the row says.
    assert page(dead, "requeue") in text
