"""Staff act on the page of a packet: each action by its form, and a mistake decides nothing."""

from unittest.mock import Mock
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry

from decisions.codes import DenialReason
from decisions.models import PacketDecision, SendClinicalOps
from decisions.packet_page.admin import DecidedPacketAdmin
from decisions.staff.dismiss import REQUIRED_DETAIL
from tests.support.cases import active, affirmed, approved, chain, fresh, packet
from tests.support.pages.packet_page import (
    NAMES,
    REASON,
    TYPED,
    buttons,
    case_for,
    closed,
    form_of,
    page,
    rows,
    sent_by,
    submit,
    text_of,
    with_utn,
)

pytestmark = pytest.mark.django_db

DETAILS = {
    DenialReason.MISSING_FIELDS: ("missingFields", "npi\n\n dates \n", {"missingFields": ["npi", "dates"]}),
    DenialReason.INVALID_PECOS: ("explanation", "TEST", {"explanation": "TEST"}),
    DenialReason.INVALID_HETS: ("explanation", "TEST", {"explanation": "TEST"}),
    DenialReason.PROCEDURE_NOT_SUPPORTED: ("procedureCode", "00000", {"procedureCode": "00000"}),
    DenialReason.NO_MEDICAL_RECORDS: ("denial_text", "TEST", {"reason": "TEST"}),
    DenialReason.OTHER: ("denial_text", "TEST", {"reason": "TEST"}),
}


@pytest.mark.parametrize(
    ("make", "action", "typed", "becomes", "status"),
    [
        (
            packet,
            "approve",
            {},
            {"decision_type": "APPROVE", "clinical_decision": "PENDING"},
            "Pending - Clinical Review",
        ),
        (packet, "affirm", {}, {"clinical_decision": "AFFIRM"}, "Clinical Decision Received"),
        (
            packet,
            "dismiss",
            {"denial_reason": "OTHER", "denial_text": "TEST"},
            {"decision_type": "DISMISSAL", "denial_reason": "OTHER", "denial_details": {"reason": "TEST"}},
            "Dismissal",
        ),
        (
            approved,
            "clinical-decision",
            {"to": "NON_AFFIRM"},
            {"clinical_decision": "NON_AFFIRM", "decision_round": 1},
            "Clinical Decision Received",
        ),
        (
            affirmed,
            "clinical-decision",
            {"to": "NON_AFFIRM"},
            {"clinical_decision": "NON_AFFIRM", "decision_round": 2},
            "Clinical Decision Received",
        ),
        (
            closed,
            "operational-decision",
            {"to": "DISMISSAL_COMPLETE"},
            {"operational_decision": "DISMISSAL_COMPLETE"},
            "Dismissal Complete",
        ),
        (closed, "operational-decision", {"to": "PENDING"}, {"operational_decision": "PENDING"}, "Validation"),
        (
            with_utn,
            "operational-decision",
            {"to": "DECISION_COMPLETE"},
            {"operational_decision": "DECISION_COMPLETE", "utn": "UTN-FAKE-000001"},
            "Decision Complete",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_decision_is_made_by_its_form(client, make, action, typed, becomes, status):
    of = make()
    versions = PacketDecision.objects.count()
    assert action in buttons(client, of)
    got = submit(client, of, action, **typed)
    assert got.redirect_chain == [(page(of), 302)]
    assert f"done. The packet is at {status}." in text_of(got)
    version = active(of)
    assert {name: getattr(version, name) for name in becomes} == becomes
    assert version.created_by == "boss"
    assert (fresh(of).detailed_status, PacketDecision.objects.count()) == (status, versions + 1)
    event = of.events.last()
    assert event.by == "boss"
    assert REASON in event.reason
    entry = LogEntry.objects.get()
    assert (entry.user.username, entry.object_id) == ("boss", str(of.pk))
    assert REASON in entry.change_message
    chain(of)


def test_a_packet_is_moved_by_its_form(client):
    of = packet()
    got = submit(client, of, "move", to="Intake")
    assert "done. The packet is at Intake." in text_of(got)
    event = of.events.get()
    assert (event.what, event.by, event.reason) == ("moved", "boss", REASON)
    assert (event.from_status, event.to_status) == ("Pending - New", "Intake")
    assert LogEntry.objects.get().object_id == str(of.pk)


@pytest.mark.django_db(transaction=True)
def test_what_can_not_be_logged_is_not_decided(client, monkeypatch):
    of = packet()
    form = form_of(client, of, "approve")
    monkeypatch.setattr(DecidedPacketAdmin, "log_change", Mock(side_effect=ZeroDivisionError))
    with pytest.raises(ZeroDivisionError):
        submit(client, of, "approve", form)
    assert not PacketDecision.objects.exists()


def test_approving_asks_clinical_ops_once(client):
    of = packet()
    form = form_of(client, of, "approve")
    for _ in range(3):
        submit(client, of, "approve", form)
    assert SendClinicalOps.objects.count() == 1


@pytest.mark.parametrize("action", NAMES)
def test_a_form_that_makes_no_sense_now_leads_back_and_says_why(client, action):
    of = approved() if action in ("approve", "operational-decision", "move") else closed()
    got = client.get(page(of, action), follow=True)
    assert got.redirect_chain == [(page(of), 302)]
    assert "is not possible now" in text_of(got)


@pytest.mark.parametrize("action", NAMES)
def test_looking_at_a_form_changes_nothing(client, action):
    of = case_for(action)
    before = rows()
    query = {"reason": REASON, "request_id": uuid4(), **TYPED[action]}
    for ask in (client.get, client.head):
        assert ask(page(of, action), query).status_code == 200
    assert client.put(page(of, action)).status_code == 405
    assert rows() == before


@pytest.mark.parametrize("number", ["999", "9" * 30])
def test_a_packet_that_is_not_there_is_not_found(client, number):
    assert client.get(f"/admin/packets/packet/{number}/approve/").status_code == 404
    assert client.post(f"/admin/packets/packet/{number}/approve/").status_code == 404


@pytest.mark.parametrize("reason", DenialReason.values)
def test_a_dismissal_names_the_detail_that_is_missing(client, reason):
    of = packet()
    got = submit(client, of, "dismiss", denial_reason=reason)
    field, text, details = DETAILS[reason]
    assert got.status_code == 200
    assert list(got.context["form"].errors) == [field]
    assert f"{reason} needs {REQUIRED_DETAIL[reason]}" in text_of(got)
    assert REASON.replace("&", "&amp;") in text_of(got)
    assert not PacketDecision.objects.exists()
    submit(client, of, "dismiss", sent_by(got), denial_reason=reason, **{field: text})
    assert (active(of).denial_reason, active(of).denial_details) == (reason, details)


def test_details_that_the_reason_does_not_require_are_kept_too(client):
    of = packet()
    submit(client, of, "dismiss", denial_reason="OTHER", denial_text="TEST", explanation="more")
    assert active(of).denial_details == {"explanation": "more", "reason": "TEST"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"reason": " "},
        {"reason": "a\x00b"},
        {"reason": "x" * 2001},
        {"to": "PENDING"},
        {"to": "nonsense"},
    ],
    ids=str,
)
def test_a_mistake_in_the_form_is_shown_and_decides_nothing(client, wrong):
    of = packet()
    got = submit(client, of, "clinical-decision", **{"to": "AFFIRM"} | wrong)
    assert got.status_code == 200
    assert "errorlist" in text_of(got)
    assert not PacketDecision.objects.exists()


@pytest.mark.parametrize("seen", ["x", "9" * 30, "9" * 5000, "1", "-1", "\x00", "٣"])
def test_a_form_that_does_not_say_what_was_seen_decides_nothing(client, seen):
    of = packet()
    assert submit(client, of, "clinical-decision", to="AFFIRM", seen=seen).status_code == 409
    assert not PacketDecision.objects.exists()


@pytest.mark.parametrize("request_id", ["x", ""])
def test_a_request_without_a_good_id_decides_once(client, request_id):
    of = packet()
    form = form_of(client, of, "clinical-decision") | {"request_id": request_id}
    answers = [submit(client, of, "clinical-decision", form, follow=False, to="AFFIRM") for _ in range(2)]
    assert [got.status_code for got in answers] == [302, 409]
    assert PacketDecision.objects.count() == 1


def test_what_is_so_already_is_said(client):
    of = affirmed()
    got = submit(client, of, "clinical-decision", to="AFFIRM")
    assert "that is already the case" in text_of(got)
    assert not LogEntry.objects.exists()


def test_what_was_typed_is_escaped_wherever_it_is_shown(client):
    of = packet()
    script = "<script>alert(1)</script>"
    form = form_of(client, of, "clinical-decision")
    submit(client, of, "dismiss", denial_reason="OTHER", denial_text=script, reason=script)
    for got in (submit(client, of, "clinical-decision", form, to="AFFIRM", reason=script), client.get(page(of))):
        assert "&lt;script&gt;alert(1)" in text_of(got)
        assert script not in text_of(got)


def test_a_dismissal_that_was_opened_again_can_be_approved(client):
    of = closed()
    submit(client, of, "operational-decision", to="PENDING")
    assert {"approve", "dismiss", "affirm", "move"} <= set(buttons(client, of))
    submit(client, of, "approve")
    assert active(of).denial_reason is None
    assert len(chain(of)) == 3
