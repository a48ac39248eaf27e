"""Redacted JSON keeps its structure and shows no value."""

import json

import pytest

from inbox.admin_pages.redaction import redacted
from packets.samples.messages import sample_messages
from tests.support.clinical import decision, payload
from tests.support.pages.job_page import MARKED


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
