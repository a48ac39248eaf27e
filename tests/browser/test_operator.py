"""An operator finds the case of a tracking id, sees why its message died, and brings it to its end."""

import json

import pytest
from playwright.sync_api import expect

from inbox.models import InboxAudit, InboxJob
from packets.models import Packet
from tests.browser.screens import keep
from tests.support.drain import drain
from tests.support.rows import esmd, job, seconds_ago, send, tracking_id

pytestmark = pytest.mark.django_db(transaction=True)

CASE = tracking_id(1)
MARKED = "MARKED-VALUE-7731"


def died() -> InboxJob:
    """A message that is dead, as its documents are no list."""
    message_id = send(esmd(CASE, documents=MARKED), CASE)
    drain()
    return InboxJob.objects.get(message_id=message_id, status="DEAD")


def find(page, text):
    """Go to the list of jobs and search it, as a person does."""
    page.goto("/admin/")
    page.get_by_role("link", name="Jobs", exact=True).first.click()
    page.get_by_role("textbox", name="Search").fill(str(text))
    page.get_by_role("button", name="Search").click()
    page.wait_for_url("**/?q=*")


def status(page):
    return page.get_by_label("Job now").locator(".job-status")


def test_an_editor_corrects_what_died_and_watches_it_end(visit, run_command):
    made = died()
    send(esmd(tracking_id(2)), tracking_id(2))
    page = visit("eda", "editor")
    find(page, CASE)
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    expect(page.locator("#result_list")).to_contain_text("documents")
    keep(page, "job-list-found")
    page.get_by_role("link", name=str(made.pk), exact=True).click()

    expect(status(page)).to_have_text("DEAD")
    expect(page.get_by_label("Job now")).to_contain_text(made.last_error)
    expect(page.locator("#payload")).not_to_contain_text(MARKED)
    keep(page, "job-dead")
    page.locator(".page-buttons").get_by_text("Correct and requeue").click()

    message = page.get_by_label("Message:", exact=True)
    corrected = json.loads(message.input_value()) | {"documents": esmd()["documents"]}
    message.fill("{" + json.dumps(corrected))
    page.get_by_label("Reason").fill("the sender says the list was lost")
    page.get_by_role("button", name="Correct and requeue").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing has been changed")
    expect(message).to_have_value("{" + json.dumps(corrected))
    keep(page, "job-correct")
    message.fill(json.dumps(corrected, indent=2))
    page.get_by_role("button", name="Correct and requeue").click()
    expect(page.locator(".messagelist")).to_contain_text("The job is NEW")

    assert run_command("run_inbox_worker", "--drain")[0] == 0
    page.reload()
    expect(status(page)).to_have_text("DONE")
    audit = page.locator(".page-table").filter(has_text="Audit, newest first")
    expect(audit.get_by_role("row").filter(has_text="the sender says the list was lost")).to_contain_text("eda")
    page.get_by_role("button", name="Reveal").click()
    expect(page.locator("#payload")).to_contain_text(MARKED)
    keep(page, "job-done-revealed")
    page.locator(".job-links").get_by_role("link", name="SVC-").click()
    expect(page.get_by_label("Decision now")).to_contain_text("Pending - New")
    assert Packet.objects.get(decision_tracking_id=CASE).has_documents


def test_an_operator_requeues_one_and_then_many_with_a_reason(visit, run_command):
    made = died()
    page = visit("oda", "operator")
    find(page, made.message_id)
    page.get_by_role("link", name=str(made.pk), exact=True).click()
    expect(page.get_by_role("link", name="Requeue", exact=True)).to_be_visible()
    expect(page.get_by_text("Correct and requeue")).to_have_count(0)
    page.get_by_role("link", name="Requeue", exact=True).click()
    page.get_by_role("button", name="Requeue").click()
    expect(page.locator(".field-reason")).to_contain_text("required")
    page.get_by_label("Reason").fill("once more")
    keep(page, "job-requeue")
    page.get_by_role("button", name="Requeue").click()
    expect(status(page)).to_have_text("NEW")

    assert run_command("run_inbox_worker", "--drain")[0] == 0
    page.reload()
    expect(status(page)).to_have_text("DEAD")
    expect(page.locator(".page-table").filter(has_text="Audit, newest first")).to_contain_text("once more")

    for number in range(3):
        job(status="FAILED", error_kind="ReadTimeout", last_error="no answer within 30 s", message_id=100 + number)
    page.goto("/admin/inbox/inboxjob/")
    page.get_by_role("link", name="FAILED").first.click()
    page.wait_for_url("**/?status__exact=FAILED")
    page.locator("#action-toggle").check()
    page.get_by_label("Action:").select_option(label="Requeue")
    keep(page, "job-list-selected")
    page.get_by_role("button", name="Go").click()
    expect(page.get_by_label("What will be changed")).to_contain_text("3 jobs that you selected")
    page.get_by_label("Reason").fill("all of them")
    keep(page, "job-many")
    page.get_by_role("button", name="Requeue 3 jobs").click()
    expect(page.locator(".messagelist")).to_contain_text("3 jobs requeued")
    assert InboxAudit.objects.filter(reason="all of them", who="oda").count() == 3


def test_of_two_operators_the_second_is_told_and_loses_nothing(visit):
    made = job(status="FAILED", error_kind="ReadTimeout", last_error="no answer", next_attempt_at=seconds_ago(-3600))
    ada, bob = visit("ada", "operator"), visit("bob", "operator")
    for page, button in ((ada, "Change time"), (bob, "Mark dead")):
        page.goto(f"/admin/inbox/inboxjob/{made.pk}/change/")
        page.get_by_role("link", name=button).click()
    bob.get_by_label("Reason").fill("it can't work\nand I typed this")
    ada.get_by_label("Next attempt at").fill("2031-02-03 04:05:06")
    ada.get_by_label("Reason").fill("later")
    ada.get_by_role("button", name="Change time").click()
    expect(ada.locator(".messagelist")).to_contain_text("done")

    bob.get_by_role("button", name="Mark dead").click()
    expect(bob.get_by_role("alert")).to_contain_text("has changed since this form was shown")
    expect(bob.get_by_label("Reason")).to_have_value("it can't work\nand I typed this")
    expect(bob.get_by_label("Job now")).to_contain_text("2031-02-03 04:05:06")
    made.refresh_from_db()
    assert made.status == "FAILED"
    keep(bob, "job-changed-meanwhile")
    bob.get_by_role("button", name="Mark dead").click()
    expect(status(bob)).to_have_text("DEAD")


def test_a_viewer_sees_no_payload_and_no_button_and_can_do_nothing_by_hand(visit):
    made = died()
    page = visit("vera", "viewer")
    find(page, CASE)
    expect(page.get_by_label("Action:")).to_have_count(0)
    page.get_by_role("link", name=str(made.pk), exact=True).click()
    expect(status(page)).to_have_text("DEAD")
    expect(page.locator(".page-buttons, .submit-row input")).to_have_count(0)
    assert MARKED not in page.content()
    keep(page, "job-viewer")
    row = InboxJob.objects.values().get()
    token = next(cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "csrftoken")
    for name in ("requeue", "mark-dead", "reschedule", "correct", "reveal"):
        typed = {"csrfmiddlewaretoken": token, "seen": "x", "reason": "by hand", "content": "{}", "to": ""}
        answer = page.request.post(f"/admin/inbox/inboxjob/{made.pk}/{name}/", form=typed)
        assert answer.status == 403, name
        assert MARKED not in answer.text()
    assert InboxJob.objects.values().get() == row
    page.goto(f"/admin/packets/integrationmessage/{made.message_id}/change/")
    expect(page.locator("#content")).to_contain_text("documents")
    assert MARKED not in page.content()
