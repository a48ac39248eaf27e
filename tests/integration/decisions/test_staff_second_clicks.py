"""A second click decides nothing twice; a stale page is refused with a notice, and nothing typed is lost."""

import re

import pytest
from django.db import transaction

from decisions.codes import OperationalDecision
from decisions.staff.approve import approve
from decisions.staff.update_operational_decision import update_operational_decision
from inbox.models import InboxAudit
from packets.codes import DetailedStatus
from packets.move_packet import move_packet
from tests.support.cases import active, chain, decided, fresh, packet
from tests.support.pages.packet_page import (
    NAMES,
    REASON,
    TYPED,
    case_for,
    closed,
    form_of,
    page,
    rows,
    sent_by,
    submit,
    text_of,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("action", NAMES)
def test_a_double_click_does_it_once_and_says_so(client, action):
    of = case_for(action)
    form = form_of(client, of, action)
    submit(client, of, action, form, **TYPED[action])
    before = rows()
    got = submit(client, of, action, form, **TYPED[action])
    assert got.redirect_chain == [(page(of), 302)]
    assert "this was done already" in text_of(got)
    assert rows() == before


@pytest.mark.parametrize("action", NAMES)
def test_the_audit_keeps_who_did_what_and_by_which_form(client, action):
    of = case_for(action)
    form = form_of(client, of, action)
    submit(client, of, action, form, **TYPED[action])
    entry = InboxAudit.objects.get()
    assert (entry.object, entry.who, entry.reason) == (f"packet:{of.pk}", "boss", REASON)
    assert entry.before == {"detailed_status": of.detailed_status}
    assert entry.after == {
        "detailed_status": fresh(of).detailed_status,
        "request_id": form["request_id"],
        "request_sha256": entry.after["request_sha256"],
    }


def test_a_form_that_was_refused_is_the_same_request_until_it_is_carried_out(client):
    of = packet()
    form = form_of(client, of, "approve")
    decided(approve, of, by="grace")
    told = sent_by(submit(client, of, "clinical-decision", form, to="AFFIRM"))
    assert told["request_id"] == form["request_id"]
    for _ in range(2):
        assert submit(client, of, "clinical-decision", told, follow=False, to="AFFIRM").status_code == 302
    late = submit(client, of, "clinical-decision", told, to="NON_AFFIRM")
    assert "those were carried out" in text_of(late)
    assert sent_by(late)["request_id"] != form["request_id"]
    assert InboxAudit.objects.count() == 1


def test_a_late_second_click_does_not_move_a_packet_that_is_back_where_it_was(client):
    of = packet()
    form = form_of(client, of, "move")
    submit(client, of, "move", form, to="Intake")
    submit(client, of, "move", to="Pending - New")
    before = rows()
    assert "this was done already" in text_of(submit(client, of, "move", form, to="Intake"))
    assert rows() == before
    submit(client, of, "move", to="Intake")
    assert fresh(of).detailed_status == "Intake"


OTHERWISE = {
    "clinical-decision": ({"to": "AFFIRM"}, {"to": "NON_AFFIRM"}),
    "dismiss": ({**TYPED["dismiss"], "explanation": "first"}, {**TYPED["dismiss"], "explanation": "second"}),
    "move": ({"to": "Intake"}, {"to": "Validation"}),
    "approve": ({"reason": "first"}, {"reason": "second"}),
}


@pytest.mark.parametrize("action", OTHERWISE)
def test_a_form_that_is_sent_again_with_something_else_is_no_second_click(client, action):
    of = case_for(action)
    form = form_of(client, of, action)
    first, second = OTHERWISE[action]
    submit(client, of, action, form, **first)
    before = rows()
    got = submit(client, of, action, form, **second)
    assert got.status_code == 409
    assert "Nothing has been changed" in text_of(got)
    for name, value in second.items():
        assert got.context["form"][name].value() == value
    assert rows() == before


def test_what_was_said_before_can_be_said_again_after_something_else(client):
    of = packet()
    form = form_of(client, of, "clinical-decision")
    for said in ("AFFIRM", "NON_AFFIRM", "AFFIRM"):
        got = submit(client, of, "clinical-decision", form, to=said)
        if got.status_code == 409:
            form = sent_by(got)
            submit(client, of, "clinical-decision", form, to=said)
        assert active(of).clinical_decision == said


@pytest.mark.parametrize("action", NAMES)
def test_a_stale_page_is_told_so_and_keeps_what_was_typed(client, action):
    of = case_for(action)
    form = form_of(client, of, action)
    if action == "operational-decision":
        decided(update_operational_decision, of, to=OperationalDecision.PENDING, by="grace")
        now = "grace has decided meanwhile"
    elif action == "move":
        with transaction.atomic():
            move_packet(of.pk, to=DetailedStatus.VALIDATION, seen=of.detailed_status, by="grace", reason="x")
        now = "it has become Validation meanwhile; you saw Pending - New"
    else:
        decided(approve, of, by="grace")
        now = "grace has decided meanwhile: APPROVE"
    before = rows()
    got = submit(client, of, action, form, **TYPED[action])
    assert got.status_code == 409
    text = text_of(got)
    assert f"Nothing has been changed: {now}" in text
    assert REASON.replace("&", "&amp;") in text
    assert re.search(r"Last event, 20[^<]*by\s+grace", text)
    assert rows() == before
    for name, value in TYPED[action].items():
        assert got.context["form"][name].value() == value
    if "missingFields" in TYPED[action]:
        assert "npi\ndates" in text


def test_whoever_submits_the_stale_page_as_it_was_is_refused_again(client):
    of = packet()
    form = form_of(client, of, "clinical-decision")
    decided(approve, of, by="grace")
    for _ in range(2):
        assert submit(client, of, "clinical-decision", form, to="AFFIRM").status_code == 409
    assert active(of).clinical_decision == "PENDING"


def test_whoever_submits_the_newly_shown_page_decides_upon_it(client):
    of = packet()
    form = form_of(client, of, "clinical-decision")
    decided(approve, of, by="grace")
    told = submit(client, of, "clinical-decision", form, to="AFFIRM")
    got = submit(client, of, "clinical-decision", sent_by(told), to="AFFIRM")
    assert "done. The packet" in text_of(got)
    assert [version.created_by for version in chain(of)] == ["grace", "boss"]


def test_what_is_not_possible_any_more_is_said_and_can_not_be_submitted(client):
    of = packet()
    form = form_of(client, of, "approve")
    decided(approve, of, by="grace")
    text = text_of(submit(client, of, "approve", form))
    assert "Approve is not possible now: the packet is at Pending - Clinical Review" in text
    assert 'type="submit" class="default"' not in text


def test_a_choice_that_is_not_possible_any_more_is_still_told(client):
    of = closed()
    form = form_of(client, of, "operational-decision")
    decided(update_operational_decision, of, to=OperationalDecision.DISMISSAL_COMPLETE, by="grace")
    got = submit(client, of, "operational-decision", form, to="DISMISSAL_COMPLETE")
    assert "You chose DISMISSAL_COMPLETE, which is no longer possible." in text_of(got)
    assert re.findall(r'type="radio" name="to" value="(\w+)"', text_of(got)) == ["PENDING"]
