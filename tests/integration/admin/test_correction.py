"""A message is corrected by its form: how long it may be, what is refused, and what becomes of the job."""

import json

import pytest
from django.db import connection, transaction

from inbox.engine.corrections import corrected_texts
from inbox.models import InboxAudit, InboxCorrection
from packets.models import IntegrationMessage, Packet
from tests.support.pages.job_page import (
    CASE,
    MARKED,
    dead_message,
    fresh,
    open_form,
    page,
    post_again,
    run_integration,
    submit,
    text_of,
)
from tests.support.rows import esmd, job

pytestmark = pytest.mark.django_db


def test_a_message_as_long_as_the_form_takes_goes_there_and_back(client):
    """A message of four bytes a character, and one that indentation would make too long."""
    for text in (json.dumps("\U0001f600" * 999_998, ensure_ascii=False), json.dumps([0] * 330_000)):
        made = dead_message(text)
        shown = open_form(client, made, "correct")
        content = shown.context["form"]["content"].value()
        assert content == text
        assert 'enctype="multipart/form-data"' in text_of(shown)
        answer = post_again(client, made, "correct", shown, content=content, message_type="intake", reason="é" * 2000)
        assert answer.status_code == 302
        assert corrected_texts([made.pk]) == {made.pk: text}


def test_a_message_that_no_form_takes_is_not_offered_nor_revealed_and_the_reason_is_said(client):
    made = dead_message(json.dumps("x" * 999_999))
    says = "the message has 1,000,001 characters, and the form takes 1,000,000"
    text = text_of(client.get(page(made)))
    assert f"Correct and requeue is not possible: {says}" in text
    assert "job-correct" not in text
    assert says in text_of(client.post(page(made, "correct"), {"open": "yes"}, follow=True))
    assert not InboxAudit.objects.exists()
    assert "not possible" not in text_of(
        client.get(page(job(status="DONE", source="integration", message_id=made.message_id, revision=2)))
    )


def test_ends_of_lines_count_once_as_they_are_shown(client):
    made = dead_message({})
    content = "[" + "\n" * 499_999 + "\n" * 499_999 + "]"
    answer = submit(client, made, "correct", content=content.replace("\n", "\r\n"), message_type="intake")
    assert answer.status_code == 302
    assert InboxAudit.objects.get(verb="correct").after["characters"] == 1_000_000


def test_a_text_that_is_too_long_is_kept_in_the_form(client):
    made = dead_message({})
    answer = submit(client, made, "correct", content='"%s"' % ("x" * 999_999), message_type="intake")
    assert answer.status_code == 200
    assert "at most 1000000 characters" in text_of(answer)
    assert "x" * 999_999 in text_of(answer)


def test_a_bad_message_is_corrected_handled_and_stays_as_it_came(client):
    made = dead_message({"documents": "none"})
    good = esmd(CASE, submission_metadata={"creationTime": "2031-02-03T04:05:06Z", "esmd_transaction_id": MARKED})
    answer = submit(client, made, "correct", content=json.dumps(good, indent=2), message_type="intake")
    assert answer.status_code == 302
    assert fresh(made).status == "NEW"
    assert run_integration().done == 1
    assert Packet.objects.get().case_id == MARKED
    assert IntegrationMessage.objects.get().payload == {"documents": "none"}
    text = text_of(client.get(page(made)))
    assert "As corrected; this version is handled" in text
    assert MARKED not in text
    entry = InboxAudit.objects.get(verb="correct")
    assert entry.after["characters"] == len(json.dumps(good, indent=2))
    assert MARKED not in json.dumps([entry.before, entry.after, entry.reason])


def test_the_newest_correction_counts_and_its_type(client):
    made = dead_message({"message_type": "nobody knows this"}, message_type="unknown")
    submit(client, made, "correct", content="{}", message_type="intake")
    assert run_integration().dead == 1
    submit(client, made, "correct", content=json.dumps(esmd(CASE)), message_type="intake")
    assert run_integration().done == 1
    assert fresh(made).message_type == "intake"
    assert InboxCorrection.objects.count() == 2


@pytest.mark.parametrize(
    "content", ["", "{", "NaN", '{"a": "\\u0000"}', '"\\ud800"', "9" * 5000, "[" * 3000 + "]" * 3000]
)
def test_what_is_no_json_is_refused_and_kept_in_the_form(client, content):
    made = dead_message({})
    answer = submit(client, made, "correct", content=content, message_type="intake")
    assert answer.status_code == 200
    assert "errorlist" in text_of(answer)
    assert fresh(made).status == "DEAD"


def test_the_correction_of_a_pruned_job_goes_with_it_and_none_is_changed(client):
    made = dead_message({})
    submit(client, made, "correct", content="{}", message_type="intake")
    with pytest.raises(Exception, match="append-only"), transaction.atomic():
        InboxCorrection.objects.update(content={"b": 1})
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM integration_inbox WHERE inbox_id = %s", [made.pk])
    assert not InboxCorrection.objects.exists()


def test_a_job_without_a_message_can_not_be_corrected(client):
    made = job(status="DEAD", source="json_generator", message_type="generate_payload")
    assert "Correct and requeue" not in text_of(client.get(page(made)))
    assert open_form(client, made, "correct").status_code == 302
