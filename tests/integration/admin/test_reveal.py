"""Payloads are redacted until they are revealed, and a reveal shows them exactly as they came."""

import json

import pytest
from django.db.models import TextField
from django.db.models.functions import Cast
from django.urls import reverse

from inbox.admin_pages.indent import indented
from inbox.admin_pages.redaction import redacted
from inbox.engine.corrections import corrected_texts
from inbox.models import InboxAudit
from packets.models import IntegrationMessage
from packets.samples.messages import sample_messages
from tests.support.clinical import decision, payload
from tests.support.pages.job_page import CASE, MARKED, dead_message, open_form, page, post_again, text_of
from tests.support.rows import esmd

pytestmark = pytest.mark.django_db


def test_a_payload_is_redacted_and_a_reveal_shows_it_and_is_logged(client):
    made = dead_message(esmd(CASE, beneficiary=MARKED))
    text = text_of(client.get(page(made)))
    assert MARKED not in text
    assert f"text, {len(MARKED)} characters" in text
    assert not InboxAudit.objects.exists()
    assert MARKED in text_of(client.post(page(made, "reveal")))
    entry = InboxAudit.objects.get()
    assert (entry.who, entry.verb, entry.object, entry.before) == ("boss", "reveal", f"job:{made.pk}", None)


def test_redacted_json_keeps_structure_types_and_lengths_and_no_value():
    value = {"payload": [MARKED, 7, 1.5, True, None], MARKED: {"b c": MARKED}, "Facility Provider NPI": ""}
    assert redacted(value) == {
        "payload": [f"text, {len(MARKED)} characters", "number", "number", "true or false", None],
        f"key 2, {len(MARKED)} characters": {"key 1, 3 characters": f"text, {len(MARKED)} characters"},
        "Facility Provider NPI": "text, 0 characters",
    }


@pytest.mark.parametrize("key", ["fileName", "file_name", "Beneficiary First Name", "esmdTransactionId", "NPI"])
def test_a_key_of_known_words_is_shown(key):
    assert redacted({key: 1}) == {key: "number"}


@pytest.mark.parametrize("key", ["", " ", "John Doe", "JOHN", "name1", "name\n", "Nname", "фамилия", "name of John"])
def test_a_key_that_may_be_a_value_is_not_shown(key):
    assert key not in redacted({key: 1})


def test_the_keys_of_good_messages_are_shown():
    good = [json.loads(message.payload) for message in sample_messages(50, seed=1, broken_share=0)]
    for message in [*good, payload(), decision()]:
        assert "key " not in json.dumps(redacted(message))


@pytest.mark.parametrize("payload", ['{"n": %s}' % ("9" * 5000), "[" * 3000 + "]" * 3000, "null", "{}", "[]", '"x"'])
def test_any_payload_is_shown(client, payload):
    made = dead_message(payload)
    assert client.get(page(made)).status_code == 200
    assert client.post(page(made, "reveal")).status_code == 200
    assert open_form(client, made, "correct").status_code == 200


NUMBERS = ["12345678901234567.89", "1.10", "0.1234567890123456789", "-0.10", "1" + "0" * 400, "9" * 4000 + ".5"]


def test_a_number_stays_as_it_came_when_it_is_revealed_corrected_and_stored(client):
    words = json.dumps('a, [b] {c}: \\" 1.10 é \n')
    made = dead_message(f'{{"of": [{", ".join(NUMBERS)}], "text": {words}}}')
    [came] = IntegrationMessage.objects.annotate(text=Cast("payload", TextField())).values_list("text", flat=True)
    lines = [f"    {number}" for number in NUMBERS]
    assert ",\n".join(lines) in text_of(client.post(page(made, "reveal")))
    row = reverse("admin:packets_integrationmessage_reveal", args=[made.message_id])
    assert ",\n".join(lines) in text_of(client.post(row))
    shown = open_form(client, made, "correct")
    content = shown.context["form"]["content"].value()
    assert ",\n".join(lines) in content
    assert json.loads(content) == json.loads(came)
    assert post_again(client, made, "correct", shown, content=content, message_type="intake").status_code == 302
    assert corrected_texts([made.pk]) == {made.pk: came}


@pytest.mark.parametrize(
    "text",
    ["{}", "[]", "0", '""', '"[{"', '{"a": {}, "b": [[]]}', '{"a": [1, {"b": null}], "c": true}', '[[], "\\\\"]'],
)
def test_a_json_text_is_indented_as_is_usual(text):
    assert indented(text, 1000) == json.dumps(json.loads(text), indent=2)


@pytest.mark.parametrize("text", ["[" * 3000 + "]" * 3000, '"%s"' % ("x" * 1_000_000)])
def test_a_text_that_indentation_makes_endless_stays_as_it_is(text):
    assert indented(text, 1_000_000) == text
