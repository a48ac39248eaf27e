"""The page of a job shows each role what it may see, and a GET changes nothing."""

import re

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.urls import reverse

from inbox.models import InboxAudit, InboxJob
from packets.codes import Channel
from packets.open_packet import open_packet
from tests.support.pages.job_page import (
    CASE,
    MARKED,
    POSSIBLE,
    REASON,
    dead_message,
    fresh,
    in_role,
    open_form,
    page,
    post,
    post_again,
    submit,
    text_of,
)
from tests.support.rows import esmd, job, seconds_ago, send

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", [*POSSIBLE, "correct", "reveal"])
def test_nothing_is_done_by_get(client, name):
    made = dead_message(esmd(CASE, beneficiary=MARKED)) if name != "release-lease" else job(status="PROCESSING")
    row = InboxJob.objects.values().get()
    for method in (client.get, client.head, client.put, client.delete):
        answer = method(page(made, name) + f"?reason={REASON}&seen=x&open=yes")
        assert answer.status_code in (200, 302, 405)
        assert MARKED not in text_of(answer)
    assert InboxJob.objects.values().get() == row
    assert not InboxAudit.objects.exists()


def test_a_post_without_a_token_is_refused(client):
    made = job(status="DEAD")
    client.handler.enforce_csrf_checks = True
    assert post(client, made, "requeue", client.get(page(made, "requeue")).context["seen"]).status_code == 403
    assert fresh(made).status == "DEAD"


ALLOWED = {
    "viewer": set(),
    "operator": set(POSSIBLE),
    "editor": {*POSSIBLE, "correct", "reveal"},
    "staff reviewer": set(),
}


@pytest.mark.parametrize("role", ALLOWED)
def test_each_role_sees_and_does_what_it_may_and_no_more(client, role):
    client = in_role(client, role)
    made = dead_message(esmd(CASE, beneficiary=MARKED))
    text = text_of(client.get(page(made)))
    assert MARKED not in text
    for name in [*POSSIBLE, "correct", "reveal"]:
        assert (f'"{page(made, name)}' in text) == (name in ALLOWED[role] & {"requeue", "correct", "reveal"}), name
        for answer in (
            client.get(page(made, name)),
            post(client, made, name, "x", content="{}", message_type="intake"),
        ):
            assert (answer.status_code == 403) == (name not in ALLOWED[role]) or answer.status_code == 405, name
    assert fresh(made).status == "DEAD"
    listing = text_of(client.get(reverse("admin:inbox_inboxjob_changelist")))
    assert ('<option value="requeue">' in listing) == ("requeue" in ALLOWED[role])


@pytest.mark.parametrize("role", ["viewer", "operator", "staff reviewer"])
def test_who_may_see_no_payload_finds_none_on_the_page_of_the_source_row_either(client, role):
    client = in_role(client, role)
    message_id = send(esmd(CASE, beneficiary=MARKED), CASE)
    text = text_of(client.get(reverse("admin:packets_integrationmessage_change", args=[message_id])))
    assert MARKED not in text
    assert "beneficiary" in text


def test_the_roles_are_there_with_permissions_that_exist_once():
    assert set(Group.objects.values_list("name", flat=True)) >= set(ALLOWED)
    names = Permission.objects.filter(codename__in=["operate_job", "correct_job", "reveal_payload", "view_inboxjob"])
    assert names.count() == 4


def test_the_page_tells_the_story_of_a_job_and_what_goes_with_it(client):
    packet, _ = open_packet(CASE, channel=Channel.ESMD, by="ada", reason="called")
    errors = [
        {"attempt": 1, "worker": "worker A", "at": "2031-02-03T04:05:06+00:00", "kind": "Odd", "message": "broken"}
    ]
    made = dead_message(esmd(CASE), errors=[*errors, {"at": "never"}, 7], finished_at=seconds_ago(1))
    other = job(decision_tracking_id=CASE)
    text = re.sub(r"\s+", " ", text_of(client.get(page(made))))
    for part in ["Source row written", "Ingested", "Attempt 1 failed", "worker A", "Odd: broken", packet.external_id]:
        assert part in text
    assert f'href="{page(other)}"' in text
    assert reverse("admin:packets_integrationmessage_change", args=[made.message_id]) in text


def test_the_page_says_who_has_the_job_and_whether_that_is_alive(client):
    text = text_of(client.get(page(job(status="PROCESSING", locked_by="worker A", locked_at=seconds_ago(600)))))
    assert "worker A" in text
    assert "will be reclaimed" in text


TIMES = ["-infinity", "4000-01-01 BC", "0001-01-01", "9999-12-31 23:59", "20000-01-01", "infinity"]
COLUMNS = {
    "next_attempt_at": "FAILED",
    "locked_at": "PROCESSING",
    "waiting_since": "WAITING",
    "started_at": "FAILED",
    "finished_at": "DEAD",
    "created_at": "FAILED",
    "updated_at": "DEAD",
}


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("column", COLUMNS)
def test_a_time_outside_pythons_range_breaks_no_page_and_no_action(client, settings, column, time):
    settings.TIME_ZONE = "America/New_York"
    made = job(status=COLUMNS[column], finished_by="worker A" if column == "finished_at" else None)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE integration_inbox SET {column} = %s WHERE inbox_id = %s", [time, made.pk])
    listing = reverse("admin:inbox_inboxjob_changelist")
    for address in (
        listing,
        f"{listing}?status__exact={made.status}",
        f"{listing}?open_for=3600",
        f"{listing}?q={made.pk}",
    ):
        assert client.get(address).status_code == 200
    assert "not readable" in text_of(client.get(page(made))) or column in ("waiting_since", "started_at")
    for name, statuses in POSSIBLE.items():
        if made.status in statuses:
            assert open_form(client, made, name).status_code == 200
    name = "release-lease" if made.status == "PROCESSING" else "requeue"
    assert submit(client, made, name).status_code == 302
    assert fresh(made).status == "NEW"


@pytest.mark.parametrize("at", ["0001-01-01", "0001-01-01T00:00+14:00", "9999-12-31T23:59-12:00", "12:00", "", None, 7])
def test_a_failed_attempt_at_any_time_is_told(client, settings, at):
    settings.TIME_ZONE = "America/New_York"
    error = {"attempt": 1, "worker": "worker A", "kind": "Odd", "message": "broken", "at": at}
    made = job(status="FAILED", errors=[error, error | {"at": "2031-02-03T04:05:06"}])
    text = text_of(client.get(page(made)))
    assert "not readable" in text
    assert "Odd: broken" in text
    assert "2031-02-02 23:05:06" in text


def test_what_was_seen_at_a_time_outside_pythons_range_is_known_to_have_changed(client):
    made = job(status="FAILED")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE integration_inbox SET updated_at = 'infinity' WHERE inbox_id = %s", [made.pk])
    shown = open_form(client, made, "requeue")
    InboxJob.objects.filter(pk=made.pk).update(updated_at=seconds_ago(0))
    assert post_again(client, made, "requeue", shown).status_code == 409
