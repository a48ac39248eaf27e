"""Payloads are redacted until they are revealed, and a reveal shows them exactly as they came."""

import json

import pytest
from django.db.models import TextField
from django.db.models.functions import Cast
from django.urls import reverse

from inbox.engine.corrections import corrected_texts
from inbox.models import InboxAudit
from packets.models import IntegrationMessage
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
