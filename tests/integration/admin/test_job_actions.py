"""Operators act on the page of a job: each action by its form, once, and only on what they saw."""

import json

import pytest

from inbox.engine.audit import recorded_move
from inbox.engine.claim import claim
from inbox.engine.work import work
from inbox.models import InboxAudit, InboxCorrection, InboxJob
from inbox.operations.verbs import OPERATIONS
from tests.support.pages.job_page import (
    AFTER,
    CLAIMED,
    POSSIBLE,
    REASON,
    claimed_and_failed,
    dead_message,
    fresh,
    open_form,
    page,
    post,
    post_again,
    submit,
    text_of,
)
from tests.support.probe import probe_source
from tests.support.rows import job, seconds_ago

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("status", ["NEW", "PROCESSING", "FAILED", "WAITING", "DEAD", "DONE"])
def test_the_page_offers_what_is_possible_and_each_does_what_it_says(client, status):
    made = job(status=status)
    text = text_of(client.get(page(made)))
    offered = {action.name for action in OPERATIONS if f'href="{page(made, action.name)}"' in text}
    assert offered == {name for name, statuses in POSSIBLE.items() if status in statuses}
    for name in offered:
        one = job(status=status)
        assert submit(client, one, name, to="2031-02-03 04:05:06").status_code == 302
        assert fresh(one).status == AFTER.get(name, status)
        entry = InboxAudit.objects.get(object=f"job:{one.pk}")
        assert (entry.who, entry.reason, entry.before["status"]) == ("boss", REASON, status)
    for name in set(POSSIBLE) - offered:
        assert client.get(page(made, name)).status_code == 302
        assert post(client, made, name, client.get(page(made)).context["job"].status).status_code == 409
    assert fresh(made).status == status


def test_the_next_attempt_is_set_and_nothing_else(client):
    made = job(status="FAILED", attempt_count=3, next_attempt_at=seconds_ago(-3600))
    submit(client, made, "reschedule", to="2031-02-03 04:05:06")
    changed = fresh(made)
    assert changed.next_attempt_at.isoformat() == "2031-02-03T04:05:06+00:00"
    assert (changed.status, changed.attempt_count) == ("FAILED", 3)
    submit(client, made, "reschedule", to="")
    assert fresh(made).next_attempt_at < seconds_ago(-60)


def test_a_released_job_keeps_its_attempts_and_runs_alone(client):
    made = job(status="PROCESSING", attempt_count=2)
    submit(client, made, "release-lease")
    changed = fresh(made)
    assert (changed.attempt_count, changed.runs_alone, changed.locked_by) == (1, True, None)


def test_the_old_owner_of_a_released_lease_writes_nothing(client):
    made = job()
    taken = claim(probe_source(), worker_id="worker A", limit=1)
    submit(client, made, "release-lease")
    assert work(taken).lost == 1
    assert fresh(made).status == "NEW"


@pytest.mark.parametrize("name", ["requeue", "reschedule", "mark-dead", "correct"])
def test_a_job_claimed_since_the_form_was_shown_is_left_alone_and_nothing_typed_is_lost(client, name):
    made = dead_message({}) if name == "correct" else job(status="FAILED")
    before = open_form(client, made, name).context["seen"]
    with recorded_move("test"):
        InboxJob.objects.filter(pk=made.pk).update(status="NEW", updated_at=seconds_ago(0))
    InboxJob.objects.filter(pk=made.pk).update(**CLAIMED | {"locked_at": seconds_ago(0)})
    row = InboxJob.objects.filter(pk=made.pk).values().get()
    typed = {"content": '{"corrected": 1}', "message_type": "intake", "reason": "kept & typed"}
    answer = post(client, made, name, before, **typed)
    assert answer.status_code == 409
    assert "the job has changed since this form was shown" in text_of(answer)
    assert "kept &amp; typed" in text_of(answer)
    assert "worker B" in text_of(answer)
    assert InboxJob.objects.filter(pk=made.pk).values().get() == row
    assert not InboxAudit.objects.exclude(verb="reveal").exists()
    assert not InboxCorrection.objects.exists()


def test_of_two_operators_the_second_is_told_and_loses_nothing(client):
    made = job(status="FAILED")
    seen = client.get(page(made, "mark-dead")).context["seen"]
    submit(client, made, "reschedule", to="2031-02-03 04:05:06")
    answer = post(client, made, "mark-dead", seen)
    assert answer.status_code == 409
    assert fresh(made).status == "FAILED"
    # The page that says so shows the job as it is now: to submit that is to decide upon it.
    assert post(client, made, "mark-dead", answer.context["seen"]).status_code == 302
    assert fresh(made).status == "DEAD"


def test_a_second_click_does_nothing_twice_and_is_no_error(client):
    made = job(status="DEAD")
    shown = open_form(client, made, "requeue")
    assert [post_again(client, made, "requeue", shown).status_code for _ in range(2)] == [302, 302]
    assert InboxAudit.objects.count() == 1
    # Also after the job has gone on.
    claimed_and_failed(made)
    assert post_again(client, made, "requeue", shown).status_code == 302
    assert fresh(made).status == "FAILED"


TWICE = {
    "correct": ({"content": '{"x": 1}', "message_type": "intake"}, {"content": '{"x": 2}', "message_type": "intake"}),
    "reschedule": ({"to": "2031-02-03 04:05:06"}, {"to": "2031-02-03 05:05:06"}),
    "requeue": ({}, {"reason": "another reason"}),
}


@pytest.mark.parametrize("name", TWICE)
def test_an_edit_of_a_form_that_was_carried_out_is_no_second_click_and_is_kept(client, name):
    first, second = TWICE[name]
    made = dead_message({}) if name == "correct" else job(status="FAILED")
    shown = open_form(client, made, name)
    assert post_again(client, made, name, shown, **first).status_code == 302
    row = InboxJob.objects.values().get()
    answer = post_again(client, made, name, shown, **second)
    assert answer.status_code == 409
    assert "submitted before with other entries, and those were carried out" in text_of(answer)
    assert all(answer.context["form"][field].value() == value for field, value in second.items())
    assert InboxJob.objects.values().get() == row
    assert InboxAudit.objects.exclude(verb="reveal").count() == 1
    # The form is a new one, so submitting it is a new request.
    assert answer.context["request_id"] != shown.context["request_id"]
    if name == "reschedule":
        assert post_again(client, made, name, answer, **second).status_code == 302
        assert fresh(made).next_attempt_at.isoformat() == "2031-02-03T05:05:06+00:00"
    entry = InboxAudit.objects.exclude(verb="reveal").earliest("pk")
    assert entry.after["request_id"] == shown.context["request_id"]
    assert '"x"' not in json.dumps([entry.before, entry.after])


def test_the_same_reason_in_a_new_form_is_no_second_click(client):
    made = job(status="FAILED")
    assert submit(client, made, "requeue", reason="retry").status_code == 302
    claimed_and_failed(made)
    shown = open_form(client, made, "requeue")
    InboxJob.objects.filter(pk=made.pk).update(**CLAIMED | {"locked_at": seconds_ago(0)})
    answer = post_again(client, made, "requeue", shown, reason="retry")
    assert answer.status_code == 409
    assert "the job has changed since this form was shown" in text_of(answer)
    assert InboxAudit.objects.count() == 1


def test_a_form_shown_again_that_did_nothing_stays_the_same_request(client):
    made = job(status="FAILED")
    shown = open_form(client, made, "mark-dead")
    again = post_again(client, made, "mark-dead", shown, reason="")
    assert again.context["request_id"] == shown.context["request_id"]
    InboxJob.objects.filter(pk=made.pk).update(updated_at=seconds_ago(-1))
    again = post_again(client, made, "mark-dead", again)
    assert (again.status_code, again.context["request_id"]) == (409, shown.context["request_id"])
    assert [post_again(client, made, "mark-dead", again).status_code for _ in range(2)] == [302, 302]
    assert InboxAudit.objects.count() == 1


@pytest.mark.parametrize("request_id", ["", "x", "\x00", "0" * 5000])
def test_a_request_without_a_good_id_does_its_deed_once(client, request_id):
    made = job(status="DEAD")
    seen = open_form(client, made, "requeue").context["seen"]
    answers = [post(client, made, "requeue", seen, request_id=request_id).status_code for _ in range(2)]
    assert answers == [302, 409]
    assert InboxAudit.objects.count() == 1


@pytest.mark.parametrize("seen", ["", "x", "DEAD - ", "DEAD -", "\x00"])
def test_a_form_that_does_not_say_what_was_seen_does_nothing(client, seen):
    made = job(status="DEAD")
    assert post(client, made, "requeue", seen).status_code == 409
    assert fresh(made).status == "DEAD"


def test_a_reason_is_needed(client):
    made = job(status="DEAD")
    seen = client.get(page(made, "requeue")).context["seen"]
    assert post(client, made, "requeue", seen, reason=" ").status_code == 200
    assert fresh(made).status == "DEAD"
