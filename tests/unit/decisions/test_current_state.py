"""The current state of a case follows from the set of its messages, not from their order."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

from decisions.models import DecisionMessage
from decisions.rules.current_state import counting_messages, current_state, of_earlier_rounds

BEGAN = datetime(2031, 2, 3, tzinfo=UTC)


def message(kind, second, message_id=1, **content):
    """A message of the case, said at that second of its story."""
    said_at = BEGAN + timedelta(seconds=second)
    return DecisionMessage(
        kind=kind,
        source="test",
        message_id=message_id,
        revision=1,
        created_at=said_at,
        said_at=said_at,
        content=content,
    )


def answer(second, text, **fields):
    return message("clinical", second, answer=text, **fields)


def utn(second, **fields):
    return message("utn", second, **{"is_success": True, "utn": "UTN-FAKE-1"} | fields)


def payload(second, **fields):
    return message("payload", second, **{"is_sent": True, "answer": "AFFIRM"} | fields)


def test_without_a_clinical_answer_messages_say_nothing():
    assert current_state([]) is None
    assert current_state([utn(1), payload(2)]) is None
    assert of_earlier_rounds([utn(1), payload(2)]) == []


def test_the_order_of_messages_does_not_matter():
    story = [answer(1, "AFFIRM"), payload(2), utn(3), answer(4, "NON_AFFIRM"), utn(5, utn="UTN-FAKE-2")]
    states = {repr(current_state(messages)) for messages in permutations(story)}
    assert len(states) == 1


def test_of_equal_answers_the_first_counts():
    first = answer(1, "AFFIRM")
    assert counting_messages([answer(2, "AFFIRM"), first])["clinical"] is first


def test_of_utn_answers_the_last_counts():
    state = current_state([answer(1, "AFFIRM"), utn(2), utn(3, is_success=False, utn=None, error_code="E1")])
    assert (state["utn_status"], state["utn"], state["requires_utn_fix"]) == ("FAILED", None, True)
    assert state["utn_error_code"] == "E1"


def test_a_utn_confirms_the_request_to_esmd():
    assert current_state([answer(1, "AFFIRM"), payload(2)])["esmd_request_status"] == "SENT"
    assert current_state([answer(1, "AFFIRM"), payload(2), utn(3)])["esmd_request_status"] == "ACKED"


def test_a_different_answer_begins_a_round_and_leaves_behind_what_was_said_before():
    old_utn, new_utn = utn(2), utn(4, utn="UTN-FAKE-2")
    messages = [answer(1, "AFFIRM"), old_utn, answer(3, "NON_AFFIRM")]
    assert current_state(messages)["utn_status"] == "NONE"
    assert of_earlier_rounds([*messages, new_utn]) == [old_utn]
    assert current_state([*messages, new_utn])["utn"] == "UTN-FAKE-2"


def test_a_round_begins_with_the_first_of_its_equal_answers():
    messages = [answer(1, "AFFIRM"), answer(3, "NON_AFFIRM"), utn(4), answer(5, "NON_AFFIRM")]
    assert current_state(messages)["utn"] == "UTN-FAKE-1"


def test_what_was_said_before_the_first_answer_counts_for_the_first_round():
    assert current_state([utn(1), answer(2, "AFFIRM")])["utn"] == "UTN-FAKE-1"


def test_a_payload_of_another_answer_does_not_count():
    state = current_state([answer(1, "AFFIRM"), payload(2, answer="NON_AFFIRM")])
    assert state["esmd_request_status"] == "NOT_SENT"


def test_a_late_contrary_answer_does_not_count_but_ends_what_was_said_before_it():
    messages = [answer(1, "AFFIRM"), utn(2), answer(4, "AFFIRM")]
    assert current_state(messages)["utn"] == "UTN-FAKE-1"
    state = current_state([*messages, answer(3, "NON_AFFIRM")])
    assert (state["clinical_decision"], state["utn_status"]) == ("AFFIRM", "NONE")


def test_the_same_answer_once_more_by_a_person_begins_a_round():
    messages = [answer(1, "AFFIRM"), utn(2), answer(3, "AFFIRM", is_anew=True)]
    assert current_state(messages)["utn_status"] == "NONE"


def test_an_answer_of_a_person_has_no_message_id():
    said = answer(1, "AFFIRM")
    assert current_state([said])["clinical_message_id"] == 1
    said.source = "staff"
    assert current_state([said])["clinical_message_id"] is None
