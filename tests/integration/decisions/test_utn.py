"""UTN answers: each waits for a clinical answer, counts once, and asks for one letter per round."""

import pytest
from django.db import transaction

from decisions.models import SendIntegration
from inbox.job_counts import JobCounts
from inbox.models import InboxJob
from packets.models import PacketEvent
from tests.support.cases import active, affirmed, answer, approved, chain, fresh, packet, statuses, utn, utn_fail
from tests.support.drain import drain, job_of
from tests.support.rows import esmd, seconds_ago, send, tracking_id

pytestmark = pytest.mark.django_db(transaction=True)


def letters():
    return list(SendIntegration.objects.order_by("message_id").values_list("dedupe_key", flat=True))


def test_a_utn_is_stored_and_one_letter_is_asked_for():
    case = affirmed()
    utn()
    assert drain().done == 1
    version = active(case)
    assert (version.utn, version.utn_status, version.esmd_request_status) == ("UTN-FAKE-000001", "SUCCESS", "ACKED")
    assert fresh(case).detailed_status == "UTN Received"
    assert letters() == [f"letter:{case.pk}:1"]
    payload = SendIntegration.objects.get().payload
    assert payload["message_type"] == "LETTER_REQUEST"
    assert payload["unique_tracking_number"] == "UTN-FAKE-000001"
    assert len(chain(case)) == 3


def test_a_utn_before_its_packet_and_before_the_answer_waits_and_is_woken_each_time():
    message = utn()
    assert drain().waiting == 1
    assert job_of(message).note == "the packet"
    send(esmd(tracking_id(1)), tracking_id(1))
    assert drain().waiting == 1
    waiting = job_of(message)
    assert (waiting.note, waiting.attempt_count) == ("a clinical answer", 0)
    case = packet_of(1)
    assert answer(case, {"answer": "NON_AFFIRM"}, message_id=9) is None
    assert job_of(message).status == "NEW"
    assert drain().done == 1
    assert active(case).utn_status == "SUCCESS"
    assert letters() == [f"letter:{case.pk}:1"]


def packet_of(number):
    from packets.models import Packet

    return Packet.objects.get(decision_tracking_id=tracking_id(number))


def test_a_failure_sends_the_packet_back_to_validation_and_a_later_success_clears_it():
    case = affirmed()
    utn_fail()
    drain()
    version = active(case)
    assert (version.utn_status, version.requires_utn_fix, version.utn_error_code) == ("FAILED", True, "E1")
    now = fresh(case)
    assert (now.detailed_status, now.validation_status) == ("Validation", "Pending - Validation")
    assert letters() == []
    utn()
    drain()
    version = active(case)
    assert (version.utn_status, version.requires_utn_fix, version.utn_error_code) == ("SUCCESS", False, None)
    assert fresh(case).detailed_status == "UTN Received"
    assert letters() == [f"letter:{case.pk}:1"]


def test_an_older_failure_does_not_undo_a_success_and_leaves_a_line_in_the_history():
    case = affirmed()
    utn()
    drain()
    late = utn_fail(created_at=seconds_ago(60))
    drain()
    assert active(case).utn_status == "SUCCESS"
    assert job_of(late).note == "a newer UTN answer counts, or it was said in an earlier round"
    event = PacketEvent.objects.filter(packet=case).last()
    assert (event.what, event.job_id) == ("answer_ignored", job_of(late).pk)
    assert len(chain(case)) == 3


def test_the_same_utn_again_makes_no_version_and_no_letter():
    case = affirmed()
    utn()
    drain()
    again = utn()
    drain()
    assert len(chain(case)) == 3
    assert letters() == [f"letter:{case.pk}:1"]
    assert job_of(again).status == "DONE"


def test_several_answers_of_one_case_in_one_batch_make_one_version():
    case = affirmed()
    utn(), utn(text="UTN-FAKE-000002")
    assert drain() == JobCounts(done=2)
    assert active(case).utn == "UTN-FAKE-000002"
    assert len(chain(case)) == 3


def test_another_answer_begins_a_round_and_its_utn_gets_a_letter_of_its_own():
    case = affirmed()
    utn(created_at=seconds_ago(3000))
    drain()
    assert answer(case, {"answer": "NON_AFFIRM"}, second=1200, message_id=2) is None
    version = active(case)
    assert (version.decision_round, version.utn, version.utn_status) == (2, None, "NONE")
    assert (version.esmd_request_status, version.decision_outcome) == ("NOT_SENT", "NON_AFFIRM")
    assert fresh(case).detailed_status == "Clinical Decision Received"
    utn(text="UTN-FAKE-000002")
    drain()
    assert letters() == [f"letter:{case.pk}:1", f"letter:{case.pk}:2"]


def test_a_closed_case_ignores_it_with_a_reason():
    case = affirmed()
    type(case).objects.filter(pk=case.pk).update(detailed_status="Decision Complete")
    message = utn()
    drain()
    assert (job_of(message).status, job_of(message).note) == ("DONE", "the case is closed (Decision Complete)")
    assert active(case).utn_status == "NONE"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"message_type": "UTN"}, "unique_tracking_number must be a string"),
        ({"message_type": "UTN", "unique_tracking_number": {}}, "unique_tracking_number must be a string"),
        ({"message_type": "UTN", "unique_tracking_number": "x" * 256}, "unique_tracking_number must be a string"),
        ({"message_type": "UTN_FAIL"}, "are all absent"),
        ({"message_type": "UTN", "unique_tracking_number": "U", "decision_tracking_id": "no"}, "decision_tracking_id"),
    ],
)
def test_a_broken_one_is_dead_with_a_reason_and_stops_no_other(payload, reason):
    case = affirmed()
    broken = send(payload, tracking_id(1))
    utn()
    drain()
    assert job_of(broken).status == "DEAD"
    assert reason in job_of(broken).last_error
    assert active(case).utn_status == "SUCCESS"


def test_without_a_tracking_id_it_is_dead():
    broken = send({"message_type": "UTN", "unique_tracking_number": "U"}, None)
    drain()
    assert job_of(broken).last_error == "the row's decision_tracking_id is null"


def test_a_decision_that_was_brought_by_sql_counts_as_an_answer():
    """Its clinical answer is in no message of ours."""
    case = approved()
    version = active(case)
    from django.db import connection

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE packet_decision SET is_active = false WHERE packet_decision_id = %s", [version.pk])
        cursor.execute(
            "INSERT INTO packet_decision (packet_id, decision_type, clinical_decision, supersedes_id, correlation_id,"
            " created_by) VALUES (%s, 'APPROVE', 'AFFIRM', %s, gen_random_uuid(), 'elsewhere')",
            [case.pk, version.pk],
        )
    utn()
    drain()
    assert (active(case).utn_status, active(case).clinical_decision) == ("SUCCESS", "AFFIRM")
    assert letters() == [f"letter:{case.pk}:1"]


def test_a_reason_that_stays_open_says_so_in_the_statuses():
    packet()
    message = utn()
    drain()
    assert statuses()[message] == "WAITING"
    assert InboxJob.objects.get(message_id=message).attempt_count == 0
