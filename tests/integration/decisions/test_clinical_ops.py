"""Clinical decisions and generated payloads: applied once, whenever they are written, and in whatever order."""

import pytest

from decisions.models import ClinicalOpsMessage
from inbox.models import InboxJob
from tests.support.cases import active, approved, chain, fresh, packet, payload_of, utn
from tests.support.clinical import decision, payload, rewrite, write, write_decision, write_payload
from tests.support.drain import drain_all
from tests.support.rows import esmd, seconds_ago, send, tracking_id

pytestmark = pytest.mark.django_db(transaction=True)


def jobs(source):
    """The jobs of a source as (message id, revision, status)."""
    rows = InboxJob.objects.filter(source=source).order_by("inbox_id")
    return list(rows.values_list("message_id", "revision", "status"))


def last_job(source):
    return InboxJob.objects.filter(source=source).order_by("inbox_id").last()


def applied_at(message_id):
    return ClinicalOpsMessage.objects.get(pk=message_id).clinical_decision_applied_at


def test_an_answer_is_applied_once_and_a_payload_is_asked_for():
    case = approved()
    message = write_decision()
    drain_all()
    version = active(case)
    assert (version.clinical_decision, version.decision_outcome, version.decision_round) == ("AFFIRM", "AFFIRM", 1)
    assert fresh(case).detailed_status == "Clinical Decision Received"
    assert applied_at(message) is not None
    assert jobs("clinical_decision") == [(message, 1, "DONE")]
    assert jobs("json_generator") == [(version.pk, 1, "NEW")]
    assert len(chain(case)) == 2


def test_without_an_approval_it_makes_the_first_decision():
    case = packet()
    write_decision(indicator="N")
    drain_all()
    [version] = chain(case)
    assert (version.decision_type, version.clinical_decision, version.decision_round) == ("APPROVE", "NON_AFFIRM", 1)


def test_it_waits_for_its_packet():
    message = write_decision()
    drain_all()
    assert (last_job("clinical_decision").status, last_job("clinical_decision").note) == ("WAITING", "the packet")
    assert applied_at(message) is None
    send(esmd(tracking_id(1)), tracking_id(1))
    drain_all()
    assert last_job("clinical_decision").status == "DONE"
    assert applied_at(message) is not None


def test_an_answer_written_into_a_row_of_last_week_is_taken():
    case = approved()
    message = write(created_at=seconds_ago(7 * 86400))
    drain_all()
    rewrite(message, clinical_ops_decision_json=decision())
    drain_all()
    assert active(case).clinical_decision == "AFFIRM"


def test_the_same_answer_again_changes_nothing():
    case = approved()
    message = write_decision()
    drain_all()
    rewrite(message, clinical_ops_decision_json=decision(claim_id=2))
    again = write_decision()
    drain_all()
    assert jobs("clinical_decision") == [(message, 1, "DONE"), (message, 2, "DONE"), (again, 1, "DONE")]
    assert len(chain(case)) == 2
    assert len(jobs("json_generator")) == 1


def test_a_corrected_answer_is_a_new_round_without_what_the_old_one_had():
    case = approved()
    message = write_decision()
    drain_all()
    write_payload()
    utn()
    drain_all()
    assert (active(case).utn_status, active(case).esmd_request_status) == ("SUCCESS", "ACKED")
    rewrite(message, clinical_ops_decision_json=decision("N"))
    drain_all()
    version = active(case)
    assert (version.clinical_decision, version.decision_round) == ("NON_AFFIRM", 2)
    assert (version.utn, version.utn_status, version.esmd_request_status) == (None, "NONE", "NOT_SENT")
    assert (version.esmd_payload_digest, version.decision_subtype, version.part_type) == (None, None, None)
    assert fresh(case).detailed_status == "Clinical Decision Received"
    assert len(jobs("json_generator")) == 2
    chain(case)


def test_an_older_answer_does_not_replace_a_newer_one():
    case = approved()
    write_decision(indicator="A", created_at=seconds_ago(10))
    drain_all()
    late = write_decision(indicator="N", created_at=seconds_ago(20))
    drain_all()
    assert active(case).clinical_decision == "AFFIRM"
    assert last_job("clinical_decision").note == "a newer clinical answer counts"
    assert applied_at(late) is None


def test_a_closed_case_is_not_opened_again():
    case = packet(detailed_status="Dismissal")
    write_decision()
    drain_all()
    assert last_job("clinical_decision").note == "the case is closed (Dismissal)"
    assert chain(case) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([], "the message must be an object, got a list"),
        ({}, "decision_indicator must be A or N"),
        (decision("a"), "decision_indicator must be A or N"),
        (decision("X"), "decision_indicator must be A or N"),
        (decision(None), "decision_indicator must be A or N"),
        (decision({}), "decision_indicator must be A or N"),
        (decision(decision_tracking_id=str(tracking_id(2))), "decision_tracking_id"),
    ],
)
def test_a_broken_answer_is_dead_with_a_reason_and_its_correction_is_a_new_job(content, reason):
    case = approved()
    broken = write(clinical_ops_decision_json=content)
    drain_all()
    job = last_job("clinical_decision")
    assert job.status == "DEAD"
    assert reason in job.last_error
    rewrite(broken, clinical_ops_decision_json=decision())
    drain_all()
    assert jobs("clinical_decision") == [(broken, 1, "DEAD"), (broken, 2, "DONE")]
    assert active(case).clinical_decision == "AFFIRM"


def test_a_row_deleted_or_corrected_before_it_is_worked_on_has_no_effect_of_its_own():
    from inbox.engine.ingest import ingest
    from inbox.registry import source

    case = approved()
    deleted, corrected = write_decision(), write_decision(indicator="N")
    ingest(source("clinical_decision"))
    rewrite(deleted, is_deleted=True)
    rewrite(corrected, clinical_ops_decision_json=decision("A"))
    drain_all()
    notes = dict(InboxJob.objects.filter(source="clinical_decision").values_list("message_id", "note"))
    assert notes[deleted] == "the source row was deleted"
    assert InboxJob.objects.get(message_id=corrected, revision=1).note == "the row has been corrected since"
    assert len(chain(case)) == 2
    assert active(case).clinical_decision == "AFFIRM"


def test_a_payload_is_kept_and_the_packet_waits_for_the_utn():
    case = approved()
    message = write_decision()
    rewrite(message, json_sent_to_integration=True, payload=payload())
    drain_all()
    version = active(case)
    assert (version.esmd_request_status, version.decision_subtype, version.part_type) == ("SENT", "STANDARD_PA", "B")
    assert payload_of(version) == payload()
    assert fresh(case).detailed_status == "Pending - UTN"


@pytest.mark.parametrize("transaction_id", [None, "", "  "])
def test_without_a_transaction_id_it_is_a_direct_one(transaction_id):
    case = approved()
    write_decision()
    write(json_sent_to_integration=True, payload=payload(esmdTransactionId=transaction_id))
    drain_all()
    assert active(case).decision_subtype == "DIRECT_PA"


def test_a_payload_before_the_answer_waits_for_it():
    case = approved()
    write_payload()
    drain_all()
    assert (last_job("generated_payload").status, last_job("generated_payload").note) == (
        "WAITING",
        "a clinical answer",
    )
    write_decision()
    drain_all()
    assert active(case).esmd_request_status == "SENT"


def test_false_says_why_and_true_in_the_same_row_mends_it():
    case = approved()
    write_decision()
    message = write(json_sent_to_integration=False, payload={"error": "TEST"})
    drain_all()
    assert (active(case).esmd_request_status, active(case).esmd_error) == ("FAILED", "TEST")
    assert fresh(case).detailed_status == "Clinical Decision Received"
    rewrite(message, json_sent_to_integration=True, payload=payload())
    drain_all()
    version = active(case)
    assert (version.esmd_request_status, version.esmd_error) == ("SENT", None)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([], "the message must be an object, got a list"),
        (payload(procedures=[]), "procedures is empty"),
        (payload(procedures="A"), "procedures must be a list, got a string"),
        (payload(procedures=[1]), "each procedure must be an object, got a number"),
        (payload("X"), "decisionIndicator of each procedure must be A or N"),
        (payload(procedures=[{"decisionIndicator": "A"}, {"decisionIndicator": "N"}]), "different decisionIndicators"),
        (payload(partType="C"), "partType must be A or B"),
        (payload(esmdTransactionId=7), "esmdTransactionId must be a string, got a number"),
        (payload("N"), "the payload is for NON_AFFIRM, but the decision is AFFIRM"),
    ],
)
def test_a_broken_payload_is_dead_with_a_reason(content, reason):
    case = approved()
    write_decision(created_at=seconds_ago(10))
    drain_all()
    write(json_sent_to_integration=True, payload=content)
    drain_all()
    assert last_job("generated_payload").status == "DEAD"
    assert reason in last_job("generated_payload").last_error
    assert active(case).esmd_request_status == "NOT_SENT"


def test_a_payload_that_is_ahead_of_its_answer_comes_back_with_it():
    case = approved()
    write_decision(indicator="A", created_at=seconds_ago(10))
    drain_all()
    write_payload(indicator="N")
    drain_all()
    assert last_job("generated_payload").status == "DEAD"
    write_decision(indicator="N", created_at=seconds_ago(1))
    drain_all()
    assert last_job("generated_payload").status == "DONE"
    assert active(case).esmd_request_status == "SENT"


def test_a_utn_before_the_payload_stays_acknowledged():
    case = approved()
    write_decision()
    drain_all()
    utn()
    drain_all()
    write_payload()
    drain_all()
    version = active(case)
    assert (version.esmd_request_status, version.part_type) == ("ACKED", "B")
    assert fresh(case).detailed_status == "UTN Received"


@pytest.mark.parametrize("count", [25, 2500])
def test_poison_at_the_head_delays_no_good_row(count):
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO service_ops_send_serviceops (decision_tracking_id, clinical_ops_decision_json)"
            " SELECT gen_random_uuid(), '[]' FROM generate_series(1, %s)",
            [count],
        )
    case = approved()
    write_decision()
    assert drain_all().dead == count
    assert active(case).clinical_decision == "AFFIRM"
