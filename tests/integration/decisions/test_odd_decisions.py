"""Decisions in odd company: late contrary answers, versions made by SQL, clocks that are wrong, texts that are none."""

import json
from uuid import uuid4

import pytest
from django.db import connection, transaction

from decisions.codes import DenialReason
from decisions.errors import DetailsMissing, NotAllowedNow
from decisions.models import DecisionMessage, SendClinicalOps, SendIntegration
from decisions.rules.new_round import LONGEST_WAIT_S
from decisions.sources import GENERATED_PAYLOAD
from decisions.staff.affirm import affirm
from decisions.staff.approve import approve
from decisions.staff.dismiss import dismiss
from decisions.staff.update_clinical_decision import update_clinical_decision
from decisions.staff.update_operational_decision import update_operational_decision
from inbox.engine.ingest import ingest
from inbox.models import InboxJob
from packets.models import PacketEvent
from packets.move_packet import MoveRefused, move_packet
from tests.support.cases import (
    BY,
    active,
    affirmed,
    approved,
    chain,
    decided,
    fresh,
    packet,
    utn,
    utn_fail,
    version_by_sql,
)
from tests.support.clinical import decision, payload, rewrite, write, write_decision, write_payload
from tests.support.drain import drain_all
from tests.support.probe import in_threads
from tests.support.rows import seconds_ago

pytestmark = pytest.mark.django_db(transaction=True)

DISMISSAL = {"denial_reason": DenialReason.OTHER, "denial_details": {"reason": "TEST"}}


def sql(query, *values):
    with connection.cursor() as cursor:
        cursor.execute(query, values)


def letters():
    rows = SendIntegration.objects.order_by("message_id").values_list("dedupe_key", "payload")
    return [(key.rpartition(":")[2], payload["unique_tracking_number"]) for key, payload in rows]


def payload_jobs():
    return InboxJob.objects.filter(source="json_generator").count()


def last_event(of):
    return PacketEvent.objects.filter(packet=of).last()


def job_of(source, message_id):
    return InboxJob.objects.filter(source=source, message_id=message_id).order_by("revision").last()


# Messages that come late and are older than the one that counts.


def test_an_approval_after_a_dismissal_asks_clinical_ops_again():
    case = approved()
    decided(dismiss, case, **DISMISSAL)
    decided(update_operational_decision, case, to="PENDING")
    decided(approve, case)
    keys = SendClinicalOps.objects.order_by("message_id").values_list("dedupe_key", flat=True)
    assert list(keys) == [f"clinical_review:{case.pk}:1", f"clinical_review:{case.pk}:2"]


def test_a_payload_that_comes_too_late_for_its_round_is_asked_for_again():
    case = approved()
    write_decision(created_at=seconds_ago(100))
    drain_all()
    write_decision(indicator="N", created_at=seconds_ago(80))
    write_decision(indicator="A", created_at=seconds_ago(70))
    drain_all()
    before = payload_jobs()
    write_payload(created_at=seconds_ago(90))
    drain_all()
    assert active(case).esmd_request_status == "NOT_SENT"
    assert payload_jobs() == before + 1
    assert InboxJob.objects.filter(source="json_generator", message_id=active(case).pk, status="NEW").exists()


def test_a_payload_that_a_late_contrary_answer_cuts_off_is_asked_for_again():
    case = approved()
    write_decision(created_at=seconds_ago(100))
    write_decision(created_at=seconds_ago(70))
    write_payload(created_at=seconds_ago(90))
    drain_all()
    assert active(case).esmd_request_status == "SENT"
    write_decision(indicator="N", created_at=seconds_ago(80))
    drain_all()
    version = active(case)
    assert (version.clinical_decision, version.esmd_request_status, version.decision_round) == ("AFFIRM", "NOT_SENT", 2)
    assert payload_jobs() == 2


def test_a_utn_that_is_cut_off_ends_its_round_and_the_next_utn_has_its_letter():
    case = approved()
    write_decision(created_at=seconds_ago(100))
    utn(text="UTN-FAKE-1", created_at=seconds_ago(90))
    drain_all()
    utn(text="UTN-FAKE-2", created_at=seconds_ago(10))
    drain_all()
    write_decision(indicator="N", created_at=seconds_ago(80))
    write_decision(indicator="A", created_at=seconds_ago(70))
    drain_all()
    assert active(case).utn == "UTN-FAKE-2"
    assert letters() == [("1", "UTN-FAKE-1"), ("2", "UTN-FAKE-2")]


def test_a_utn_that_still_counts_gets_no_second_letter():
    case = approved()
    write_decision(created_at=seconds_ago(100))
    utn(text="UTN-FAKE-1", created_at=seconds_ago(10))
    drain_all()
    write_decision(indicator="N", created_at=seconds_ago(80))
    write_decision(indicator="A", created_at=seconds_ago(70))
    drain_all()
    assert active(case).utn == "UTN-FAKE-1"
    assert letters() == [("1", "UTN-FAKE-1")]


def test_an_older_answer_that_ends_what_was_said_before_it_says_so_in_the_history():
    case = approved()
    write_decision(created_at=seconds_ago(100))
    utn(created_at=seconds_ago(90))
    write_decision(created_at=seconds_ago(70))
    drain_all()
    late = write_decision(indicator="N", created_at=seconds_ago(80))
    drain_all()
    event = last_event(case)
    assert (event.what, event.from_status) == ("answer_ignored", "UTN Received")
    assert event.to_status == fresh(case).detailed_status == "Clinical Decision Received"
    assert "but it ends what was said before it" in job_of("clinical_decision", late).note


def test_the_same_answer_in_a_row_of_last_week_drops_nothing():
    case = approved()
    write_decision(indicator="N", created_at=seconds_ago(200))
    empty = write(created_at=seconds_ago(150))
    write_decision(indicator="A", created_at=seconds_ago(100))
    utn(created_at=seconds_ago(50))
    drain_all()
    rewrite(empty, clinical_ops_decision_json=decision("A"))
    drain_all()
    assert (active(case).utn_status, active(case).clinical_decision) == ("SUCCESS", "AFFIRM")


# Versions that no message of ours has made.


def test_a_utn_of_a_decision_by_sql_stays_with_its_round():
    case = packet()
    version_by_sql(case, clinical_decision="AFFIRM", part_type="B", decision_subtype="DIRECT_PA")
    utn(created_at=seconds_ago(100))
    drain_all()
    assert (active(case).part_type, active(case).decision_subtype) == ("B", "DIRECT_PA")
    write_decision(indicator="N", created_at=seconds_ago(50))
    drain_all()
    write_payload(indicator="N", created_at=seconds_ago(40))
    drain_all()
    version = active(case)
    assert (version.clinical_decision, version.utn_status, version.esmd_request_status) == (
        "NON_AFFIRM",
        "NONE",
        "SENT",
    )
    assert len(letters()) == 1


def test_a_utn_does_not_flip_a_decision_that_was_corrected_by_sql():
    case = affirmed()
    version_by_sql(case, clinical_decision="NON_AFFIRM", decision_outcome="NON_AFFIRM", decision_round=2)
    utn()
    drain_all()
    version = active(case)
    assert (version.clinical_decision, version.decision_round, version.utn_status) == ("NON_AFFIRM", 2, "SUCCESS")


def test_another_utn_leaves_alone_what_sql_said_of_the_payload():
    case = packet()
    said = {"part_type": "B", "decision_subtype": "DIRECT_PA", "esmd_request_payload": json.dumps({"a": 1})}
    acked = {"esmd_request_status": "ACKED", "utn_status": "SUCCESS", "utn": "UTN-FAKE-1"}
    version_by_sql(case, clinical_decision="AFFIRM", **said, **acked)
    utn(text="UTN-FAKE-2")
    drain_all()
    version = active(case)
    assert (version.utn, version.part_type, version.esmd_request_payload) == ("UTN-FAKE-2", "B", {"a": 1})


def test_a_dismissal_by_sql_closes_the_case_though_its_packet_is_open():
    case = packet()
    version_by_sql(case, decision_type="DISMISSAL", operational_decision="DISMISSAL", decision_outcome="DISMISSAL")
    message = write_decision()
    drain_all()
    assert active(case).decision_type == "DISMISSAL"
    assert "the case is closed" in job_of("clinical_decision", message).note
    with pytest.raises(NotAllowedNow, match="the case is closed"):
        decided(affirm, case)


# People.


def test_a_person_can_overrule_an_answer_from_the_future():
    case = approved()
    write_decision(created_at=seconds_ago(-86400))
    drain_all()
    assert decided(update_clinical_decision, case, answer="NON_AFFIRM").clinical_decision == "NON_AFFIRM"


def test_a_payload_counts_for_an_answer_that_is_dated_in_the_future():
    case = approved()
    write_decision(created_at=seconds_ago(100))
    drain_all()
    write_decision(indicator="N", created_at=seconds_ago(-86400 * 365))
    drain_all()
    before = payload_jobs()
    write_payload(indicator="N")
    drain_all()
    assert (active(case).clinical_decision, active(case).esmd_request_status) == ("NON_AFFIRM", "SENT")
    assert payload_jobs() == before


def test_an_answer_and_its_payload_in_one_row_of_the_future_are_of_one_time():
    case = approved()
    write_decision(created_at=seconds_ago(100))
    drain_all()
    write_decision(indicator="N", created_at=seconds_ago(-60), json_sent_to_integration=True, payload=payload("N"))
    ingest(GENERATED_PAYLOAD)
    drain_all()
    assert (active(case).clinical_decision, active(case).esmd_request_status) == ("NON_AFFIRM", "SENT")


def test_a_payload_counts_for_a_person_s_answer_that_overrules_one_from_the_future():
    case = approved()
    write_decision(created_at=seconds_ago(-86400))
    drain_all()
    decided(update_clinical_decision, case, answer="NON_AFFIRM")
    write_payload(indicator="N")
    drain_all()
    assert (active(case).clinical_decision, active(case).esmd_request_status) == ("NON_AFFIRM", "SENT")


@pytest.mark.parametrize(("slow_s", "asked_after_s"), [(60, 60), (86400, LONGEST_WAIT_S)])
def test_a_writer_of_payloads_whose_clock_is_slow_is_not_asked_again_and_again(slow_s, asked_after_s):
    case = approved()
    write_decision(created_at=seconds_ago(2 * slow_s))
    drain_all()
    write_decision(indicator="N")
    drain_all()
    write_payload(indicator="N", created_at=seconds_ago(slow_s))
    drain_all()
    again = InboxJob.objects.get(source="json_generator", message_id=active(case).pk)
    due_in_s = (again.next_attempt_at - again.created_at).total_seconds()
    assert due_in_s == pytest.approx(asked_after_s, rel=0.2)


def test_two_answers_of_a_person_in_one_transaction_are_two():
    case = approved()
    with transaction.atomic():
        first = update_clinical_decision(case.pk, answer="AFFIRM", correlation_id=uuid4(), seen=active(case).pk, **BY)
        update_clinical_decision(case.pk, answer="NON_AFFIRM", correlation_id=uuid4(), seen=first.pk, **BY)
    assert active(case).clinical_decision == "NON_AFFIRM"
    assert len(chain(case)) == 3


def test_the_same_answer_begins_anew_where_something_failed():
    case = approved()
    write_decision(created_at=seconds_ago(100))
    write(json_sent_to_integration=False, payload={"error": "TEST"}, created_at=seconds_ago(90))
    drain_all()
    version = decided(update_clinical_decision, case, answer="AFFIRM")
    assert (version.decision_round, version.esmd_request_status) == (2, "NOT_SENT")
    assert InboxJob.objects.filter(source="json_generator", message_id=version.pk).exists()
    utn_fail()
    drain_all()
    version = decided(update_clinical_decision, case, answer="AFFIRM")
    assert (version.decision_round, version.utn_status, version.requires_utn_fix) == (3, "NONE", False)
    assert fresh(case).detailed_status == "Clinical Decision Received"


def test_a_request_that_decided_something_else_is_refused():
    case, request = packet(), uuid4()
    decided(approve, case, correlation_id=request)
    with pytest.raises(NotAllowedNow, match="another decision already"):
        decided(dismiss, case, correlation_id=request, **DISMISSAL)


@pytest.mark.parametrize("text", ["a\x00b", "a\ud800b"])
def test_a_text_that_can_not_be_stored_is_refused_in_words(text):
    case = packet()
    for options in ({"reason": text}, {"by": text}):
        with pytest.raises(DetailsMissing, match="can't be stored"):
            decided(approve, case, **options)
    for details in ({"reason": text}, {"reason": "a", "more": float("inf")}):
        with pytest.raises(DetailsMissing, match="can't be stored"):
            decided(dismiss, case, denial_reason=DenialReason.OTHER, denial_details=details)
    with pytest.raises(MoveRefused, match="can be stored"), transaction.atomic():
        move_packet(case.pk, to="Intake", seen="Pending - New", by="ada", reason=text)


def test_an_answer_that_is_none_is_a_value_error():
    case = packet()
    for answer in ("MAYBE", "PENDING"):
        with pytest.raises(ValueError, match=answer):
            decided(update_clinical_decision, case, answer=answer)


# Messages.


@pytest.mark.parametrize(
    "value", ['{"x": 1' + "0" * 310 + ".5}", "[" * 200 + "]" * 200, "[" * 940 + "]" * 940], ids=["inf", "200", "940"]
)
def test_a_payload_that_could_be_stored_but_not_copied_is_dead_at_once(value):
    case = approved()
    write_decision()
    content = json.dumps(payload()).replace('"partType"', f'"more": {value}, "partType"')
    sql(
        "INSERT INTO service_ops_send_serviceops (decision_tracking_id, json_sent_to_integration, payload)"
        " VALUES (%s, true, %s)",
        case.decision_tracking_id,
        content,
    )
    utn()
    drain_all()
    broken = InboxJob.objects.get(source="generated_payload")
    assert (broken.status, broken.attempt_count, broken.error_kind) == ("DEAD", 1, "BadMessage")
    assert active(case).utn_status == "SUCCESS"


def test_a_failure_of_another_case_is_dead_and_a_long_reason_is_cut():
    case = approved()
    write_decision()
    foreign = write(json_sent_to_integration=False, payload={"decision_tracking_id": str(uuid4())})
    drain_all()
    assert job_of("generated_payload", foreign).status == "DEAD"
    write(json_sent_to_integration=False, payload={"error": "x" * 5000})
    drain_all()
    assert active(case).esmd_error == "x" * 4000


def test_a_row_that_its_writer_holds_delays_no_other_and_costs_no_attempt():
    cases = [approved(number) for number in (1, 2, 3)]
    rows = [write_decision(number) for number in (1, 2, 3)]
    from inbox.engine.claim import claim
    from inbox.engine.ingest import ingest
    from inbox.engine.work import work
    from inbox.registry import source

    ingest(source("clinical_decision"))
    claimed = claim(source("clinical_decision"), worker_id="test", limit=10)
    with transaction.atomic():
        sql("SELECT 1 FROM service_ops_send_serviceops WHERE message_id = %s FOR UPDATE", rows[1])
        [counts] = in_threads(lambda: work(claimed))
    assert (counts.done, counts.waiting) == (2, 1)
    waiting = job_of("clinical_decision", rows[1])
    assert (waiting.attempt_count, waiting.note) == (0, "its source row, which is being written")
    InboxJob.objects.filter(pk=waiting.pk).update(next_attempt_at=seconds_ago(1))
    drain_all()
    assert {active(case).clinical_decision for case in cases} == {"AFFIRM"}


def test_a_late_payload_leaves_alone_a_validation_that_people_have_done():
    case = affirmed()
    utn_fail()
    drain_all()
    type(case).objects.filter(pk=case.pk).update(validation_status="Validation Complete")
    write_payload()
    drain_all()
    assert active(case).esmd_request_status == "SENT"
    assert fresh(case).validation_status == "Validation Complete"


def test_rows_from_before_the_times_were_kept_count_as_written_when_they_were_made():
    case = approved()
    rows = [
        write_decision(indicator=indicator, created_at=seconds_ago(age)) for indicator, age in (("A", 90), ("N", 30))
    ]
    with transaction.atomic():
        sql("ALTER TABLE service_ops_send_serviceops DISABLE TRIGGER clinical_ops_revisions")
        sql("UPDATE service_ops_send_serviceops SET decision_written_at = NULL WHERE message_id = ANY(%s)", rows)
        sql("ALTER TABLE service_ops_send_serviceops ENABLE TRIGGER clinical_ops_revisions")
    utn(created_at=seconds_ago(60))
    drain_all()
    assert (active(case).clinical_decision, active(case).utn_status) == ("NON_AFFIRM", "NONE")
    assert DecisionMessage.objects.filter(packet=case, said_at__isnull=True).count() == 0
