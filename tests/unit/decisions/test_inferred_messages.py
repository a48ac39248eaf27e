"""A version may say more than the messages of its case; the rest counts as said, too."""

from datetime import UTC, datetime

import pytest

from decisions.models import PacketDecision
from decisions.rules.current_state import current_state
from decisions.rules.inferred_messages import inferred

MADE_AT = datetime(2031, 2, 3, tzinfo=UTC)
SAYS_ALL = {
    "clinical_decision": "AFFIRM",
    "utn_status": "SUCCESS",
    "utn": "UTN-FAKE-1",
    "esmd_request_status": "ACKED",
    "part_type": "B",
}


def version(**fields):
    said = {"utn_status": "NONE", "esmd_request_status": "NOT_SENT"} | fields
    return PacketDecision(pk=7, packet_id=1, created_at=MADE_AT, **said)


@pytest.mark.parametrize("active", [None, version(clinical_decision="PENDING", utn="UTN-FAKE-1")])
def test_a_case_without_a_clinical_answer_says_nothing(active):
    assert inferred(active, []) == []


def test_a_version_that_no_message_made_says_everything():
    messages = inferred(version(**SAYS_ALL), [])
    assert [message.kind for message in messages] == ["clinical", "utn", "payload"]
    state = current_state(messages)
    assert {name: state[name] for name in SAYS_ALL} == SAYS_ALL


def test_what_the_messages_say_already_is_not_said_again():
    active = version(**SAYS_ALL)
    assert inferred(active, inferred(active, [])) == []


def test_what_contradicts_the_messages_is_said_when_the_version_was_made():
    known = inferred(version(**SAYS_ALL), [])
    [found] = inferred(version(**SAYS_ALL | {"utn": "UTN-FAKE-2"}), known)
    assert (found.kind, found.content["utn"], found.said_at) == ("utn", "UTN-FAKE-2", MADE_AT)
    assert current_state([*known, found])["utn"] == "UTN-FAKE-2"


def test_a_request_that_only_a_utn_confirms_is_no_payload():
    messages = inferred(version(clinical_decision="AFFIRM", esmd_request_status="ACKED"), [])
    assert [message.kind for message in messages] == ["clinical"]
