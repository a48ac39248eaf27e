"""Each decision of a person is one version, reaches whom it concerns, or is refused with the reason."""

from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.db.transaction import TransactionManagementError

from decisions.codes import DenialReason, OperationalDecision
from decisions.errors import DecidedMeanwhile, DetailsMissing, NoSuchPacket, NotAllowedNow
from decisions.models import DecisionMessage, PacketDecision, SendClinicalOps
from decisions.staff.affirm import affirm
from decisions.staff.approve import approve
from decisions.staff.dismiss import dismiss
from decisions.staff.update_clinical_decision import update_clinical_decision
from decisions.staff.update_operational_decision import update_operational_decision
from decisions.versions import COPIED, NOT_COPIED, next_version
from inbox.models import InboxJob
from packets.models import PacketEvent
from packets.move_packet import MoveRefused, move_packet
from tests.support.cases import BY, active, affirmed, answer, approved, chain, decided, fresh, packet, utn
from tests.support.drain import drain

pytestmark = pytest.mark.django_db(transaction=True)

DISMISSAL = {"denial_reason": DenialReason.OTHER, "denial_details": {"reason": "TEST"}}


def events(of):
    return list(PacketEvent.objects.filter(packet=of).values_list("what", "by", "from_status", "to_status", "reason"))


def test_approve_sends_the_packet_to_clinical_review_once():
    case = packet()
    version = decided(approve, case)
    assert (version.decision_type, version.clinical_decision, version.created_by) == ("APPROVE", "PENDING", "ada")
    assert version.created_at is not None
    assert fresh(case).detailed_status == "Pending - Clinical Review"
    row = SendClinicalOps.objects.get()
    assert row.payload["message_type"] == "CLINICAL_REVIEW_REQUEST"
    assert (row.decision_tracking_id, row.message_status_id, row.is_picked) == (case.decision_tracking_id, 1, None)
    assert events(case) == [
        ("decided", "ada", "Pending - New", "Pending - Clinical Review", "approve: a test"),
    ]


def test_the_same_request_again_returns_the_version_that_it_made():
    case, request = packet(), uuid4()
    first = decided(approve, case, correlation_id=request)
    assert decided(approve, case, correlation_id=request, seen=None) == first
    assert len(chain(case)) == 1
    assert len(events(case)) == 1


def test_dismiss_turns_the_packet_down():
    case = packet()
    version = decided(dismiss, case, **DISMISSAL)
    assert (version.decision_type, version.operational_decision, version.decision_outcome) == (
        "DISMISSAL",
        "DISMISSAL",
        "DISMISSAL",
    )
    assert (version.denial_reason, version.denial_details) == ("OTHER", {"reason": "TEST"})
    assert fresh(case).detailed_status == "Dismissal"


def test_an_approved_packet_can_be_dismissed_until_the_answer_is_there():
    case = approved()
    assert decided(dismiss, case, **DISMISSAL).decision_type == "DISMISSAL"
    assert len(chain(case)) == 2
    with pytest.raises(NotAllowedNow, match="there is a clinical answer already"):
        decided(dismiss, affirmed(2), **DISMISSAL)


@pytest.mark.parametrize(
    ("reason", "good", "bad"),
    [
        ("MISSING_FIELDS", {"missingFields": ["a"]}, [{}, *({"missingFields": bad} for bad in ([], "a", [" "], [1]))]),
        ("INVALID_PECOS", {"explanation": "a"}, [{}, {"reason": "a"}, {"explanation": " "}, {"explanation": 1}]),
        ("INVALID_HETS", {"explanation": "a"}, [{}]),
        ("PROCEDURE_NOT_SUPPORTED", {"procedureCode": "00000"}, [{}]),
        ("NO_MEDICAL_RECORDS", {"reason": "a"}, [{}]),
        ("OTHER", {"reason": "a"}, [{}]),
    ],
)  # fmt: skip
def test_each_denial_reason_requires_its_details(reason, good, bad):
    case = packet()
    for details in bad:
        with pytest.raises(DetailsMissing, match=reason):
            decided(dismiss, case, denial_reason=DenialReason(reason), denial_details=details)
    assert chain(case) == []
    decided(dismiss, case, denial_reason=DenialReason(reason), denial_details=good)
    assert active(case).denial_details == good


def test_affirm_gives_the_answer_and_asks_for_a_payload():
    for case in (packet(1), approved(2)):
        version = decided(affirm, case)
        assert (version.clinical_decision, version.decision_outcome) == ("AFFIRM", "AFFIRM")
        assert fresh(case).detailed_status == "Clinical Decision Received"
        job = InboxJob.objects.get(source="json_generator", message_id=version.pk)
        assert (job.message_type, job.decision_tracking_id) == ("generate_payload", case.decision_tracking_id)
    with pytest.raises(NotAllowedNow, match="there is a clinical answer already"):
        decided(affirm, case)


def test_affirm_wakes_a_utn_that_waits():
    case = packet()
    utn()
    assert drain().waiting == 1
    decided(affirm, case)
    assert drain().done == 1
    assert active(case).utn_status == "SUCCESS"


def test_an_answer_by_a_person_is_a_new_round_and_a_later_one_of_clinical_ops_counts_in_its_turn():
    case = affirmed()
    version = decided(update_clinical_decision, case, answer="NON_AFFIRM")
    assert (version.clinical_decision, version.decision_round) == ("NON_AFFIRM", 2)
    assert decided(update_clinical_decision, case, answer="NON_AFFIRM") == version
    assert answer(case, {"answer": "AFFIRM"}, second=-10, message_id=2) == "a newer clinical answer counts"
    assert answer(case, {"answer": "AFFIRM"}, second=7200, message_id=3) is None
    assert active(case).decision_round == 3


def test_the_operational_decision_closes_and_reopens_the_case():
    case = affirmed()
    utn()
    drain()
    assert decided(update_operational_decision, case, to=OperationalDecision.DECISION_COMPLETE).utn == "UTN-FAKE-000001"
    assert fresh(case).detailed_status == "Decision Complete"
    decided(update_operational_decision, case, to=OperationalDecision.PENDING)
    assert fresh(case).detailed_status == "UTN Received"
    with pytest.raises(NotAllowedNow, match="it can't become DISMISSAL_COMPLETE"):
        decided(update_operational_decision, case, to=OperationalDecision.DISMISSAL_COMPLETE)
    with pytest.raises(NotAllowedNow, match="no decision yet"):
        decided(update_operational_decision, packet(2), to=OperationalDecision.PENDING)


def test_a_dismissal_that_is_opened_again_can_be_decided_anew():
    case = packet()
    decided(dismiss, case, **DISMISSAL)
    decided(update_operational_decision, case, to=OperationalDecision.PENDING)
    version = decided(approve, case)
    assert (version.decision_type, version.denial_reason, version.decision_round) == ("APPROVE", None, 2)
    assert answer(case, {"answer": "AFFIRM"}) is None
    assert active(case).decision_outcome == "AFFIRM"
    assert len(chain(case)) == 4


def test_who_saw_something_else_is_told_what_was_decided_meanwhile():
    case = packet()
    decided(approve, case, by="grace")
    for verb, options in [(approve, {}), (dismiss, DISMISSAL), (affirm, {})]:
        with pytest.raises(DecidedMeanwhile, match="grace has decided meanwhile: APPROVE"):
            decided(verb, case, seen=None, **options)
    assert len(chain(case)) == 1


def test_refusals_name_what_stands_in_the_way():
    closed = packet(1, detailed_status="Decision Complete")
    with pytest.raises(NotAllowedNow, match="the packet is at Decision Complete; this can be done at"):
        decided(approve, closed)
    with pytest.raises(NotAllowedNow, match="the case is closed"):
        decided(update_clinical_decision, closed, answer="AFFIRM")
    with pytest.raises(NoSuchPacket), transaction.atomic():
        approve(0, correlation_id=uuid4(), **BY)
    undecided = packet(2)
    for blank in ({"by": " "}, {"reason": "\n"}):
        with pytest.raises(DetailsMissing, match="by whom and why"):
            decided(approve, undecided, **blank)


def test_a_verb_commits_nothing_by_itself():
    case = packet()
    with pytest.raises(TransactionManagementError):
        approve(case.pk, correlation_id=uuid4(), **BY)


@pytest.mark.parametrize(
    ("verb", "options"),
    [(approve, {}), (dismiss, DISMISSAL), (affirm, {}), (update_clinical_decision, {"answer": "NON_AFFIRM"})],
)
def test_an_exception_before_commit_leaves_nothing(verb, options):
    case = packet()

    def fail_late(*arguments, **options):
        verb(*arguments, **options)
        assert PacketDecision.objects.exists()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        decided(fail_late, case, **options)
    assert fresh(case).detailed_status == "Pending - New"
    for model in (PacketDecision, DecisionMessage, SendClinicalOps, PacketEvent, InboxJob):
        assert not model.objects.exists(), model


def value_of(field):
    """A value that is not the default."""
    return {
        "packet": None,
        "esmd_request_payload": {"a": 1},
        "denial_details": {"reason": "b"},
        "clinical_created_at": "2031-02-03T00:00:00Z",
        "utn_created_at": "2031-02-04T00:00:00Z",
    }.get(field.name) or {
        "TextField": next((choice for choice, _ in reversed(field.choices or [])), f"TEST {field.name}"),
        "IntegerField": 7,
        "BigIntegerField": 8,
        "BooleanField": True,
    }.get(field.get_internal_type())


def test_a_version_copies_every_field_that_it_does_not_change():
    """Walks all fields of the model, so that a new one can't be forgotten."""
    case = packet()
    fields = [field for field in PacketDecision._meta.concrete_fields if field.name not in NOT_COPIED | {"packet"}]
    values = {field.name: value_of(field) for field in fields}
    assert None not in values.values()
    before = PacketDecision.objects.create(packet=case, correlation_id=uuid4(), created_by="test", **values)
    before.refresh_from_db()
    from decisions.case import Case

    after = next_version(Case(case, before), by="test", correlation_id=uuid4(), operational_decision="PENDING")
    for name in COPIED:
        if name != "operational_decision":
            assert getattr(after, name) == getattr(before, name), name
    assert after.supersedes_id == before.pk
    assert {field.name for field in PacketDecision._meta.concrete_fields} == (
        {field.name for field in fields} | NOT_COPIED | {"packet"}
    )


def test_the_database_refuses_a_second_active_version_and_a_change_of_an_old_one():
    case = approved()
    with pytest.raises(IntegrityError, match="decision_one_active_per_packet"):
        PacketDecision.objects.create(packet=case, decision_type="APPROVE", correlation_id=uuid4(), created_by="x")
    with pytest.raises(IntegrityError, match="append-only"):
        PacketDecision.objects.filter(packet=case).update(utn="x")
    affirmed(2)
    with pytest.raises(IntegrityError, match="append-only"):
        DecisionMessage.objects.update(content={})


def test_steps_that_no_event_makes_are_made_by_hand_and_recorded():
    case = packet()
    with transaction.atomic():
        move_packet(case.pk, to="Intake", seen="Pending - New", **BY)
    assert fresh(case).detailed_status == "Intake"
    assert events(case) == [("moved", "ada", "Pending - New", "Intake", "a test")]
    with pytest.raises(MoveRefused, match="it has become Intake meanwhile"), transaction.atomic():
        move_packet(case.pk, to="Validation", seen="Pending - New", **BY)
    with pytest.raises(MoveRefused, match="no step leads by hand"), transaction.atomic():
        move_packet(case.pk, to="UTN Received", seen="Intake", **BY)
