"""The messages of a case end in the same state in whatever order they are handled, and however often they come.

Each example is told twice: to one case in the order of its story, message by message, and to another one shuffled and
in random batches. Both must end the same. A second test mixes in people, and asks what must always hold.
"""

from contextlib import suppress
from datetime import timedelta
from itertools import count

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from decisions.codes import DenialReason
from decisions.errors import DecisionRefused
from decisions.models import PacketDecision, SendClinicalOps, SendIntegration
from decisions.staff.affirm import affirm
from decisions.staff.approve import approve
from decisions.staff.dismiss import dismiss
from decisions.staff.update_clinical_decision import update_clinical_decision
from decisions.staff.update_operational_decision import update_operational_decision
from inbox import registry
from inbox.engine.sweeps.turn import SweepKind
from inbox.models import InboxJob
from packets.models import Packet, PacketDocument
from packets.move_packet import MoveRefused, move_packet
from tests.support.audit.stories import found
from tests.support.cases import active, chain, decided
from tests.support.clinical import payload, write, write_decision
from tests.support.drain import drain_all, swept
from tests.support.rows import document, esmd, seconds_ago, send, tracking_id

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]

# Different in every run of every example, or only a name for what is compared.
NOT_COMPARED = {
    Packet: {"packet_id", "external_id", "decision_tracking_id", "intake_message_id", "created_at", "updated_at"},
    PacketDecision: {
        "packet_decision_id", "packet_id", "supersedes_id", "correlation_id", "created_by", "created_at",
        # How many rounds there were depends on what was seen in time; what the last one says does not.
        "decision_round",
        # Which of several equal answers was applied.
        "clinical_created_at", "clinical_message_id", "utn_created_at", "utn_message_id",
    },
}  # fmt: skip
# Examples are small, and shrinking one takes minutes on a real database.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
APPROVED = ("APPROVE", "PENDING")
cases = count(1)
# Where no time can be read, numbers decide: they have the same order in each case. Identities never give these.
LOWEST_NUMBER = -(10**9)
LONGEST_STORY = 20

unknown_type = {"ocr": {"fields": {"Submission Type": {"value": "FAKE"}}}}
MESSAGES = st.one_of(
    st.tuples(st.just("intake"), st.sampled_from([{}, {"documents": []}, {"documents": [document(2)]}, unknown_type])),
    st.tuples(st.just("answer"), st.sampled_from("AN")),
    st.tuples(st.just("payload"), st.sampled_from(["A", "N", None])),
    st.tuples(st.just("utn"), st.sampled_from(["UTN-FAKE-1", "UTN-FAKE-2"])),
    st.tuples(st.just("utn_fail"), st.sampled_from(["E1", "E2"])),
)


# Of UTN answers and payloads: no time that a driver can read.
UNREADABLE = (None, None, None, "-infinity", "infinity")


def write_message(case: int, kind: str, what, created_at, place: int | None = None) -> None:
    """One message as its sender writes it; those of a lower `place` in the story have lower numbers."""
    columns = {"created_at": created_at}
    if place is not None:
        columns["message_id"] = LOWEST_NUMBER + case * LONGEST_STORY + place
    if kind == "answer":
        write_decision(case, what, **columns)
        return
    if kind == "payload":
        columns |= {"json_sent_to_integration": what is not None, "payload": payload(what) if what else {}}
        write(case, **columns)
        return
    content = {
        "intake": lambda: esmd(tracking_id(case), **what),
        "utn": lambda: {"message_type": "UTN", "unique_tracking_number": what},
        "utn_fail": lambda: {"message_type": "UTN_FAIL", "error_code": what},
    }[kind]()
    send(content, tracking_id(case), **columns)


def handle(case: int, *, reconciles: bool = False) -> None:
    """All that is due, and what the clock would bring later; with `reconciles`, what only that finds."""
    waiting = InboxJob.objects.filter(decision_tracking_id=tracking_id(case), status="WAITING").order_by("pk")
    drain_all()
    if reconciles and swept(registry.source("integration"), SweepKind.RECONCILE):
        drain_all()
    before: list[int] = []
    while before != (before := list(waiting.values_list("pk", flat=True))):
        waiting.update(next_attempt_at=seconds_ago(0))
        drain_all()


def what_an_audit_finds() -> dict[str, list[str]]:
    """Of all examples so far, once the rows are taken in that no lookback reaches."""
    if swept(registry.source("integration"), SweepKind.RECONCILE):
        drain_all()
    return found()


def row_of(model, row):
    return {
        field.attname: getattr(row, field.attname)
        for field in model._meta.concrete_fields
        if field.attname not in NOT_COMPARED[model]
    }


def end_of(case: int):
    """The packet, the active version and the documents of the case."""
    packet = Packet.objects.filter(decision_tracking_id=tracking_id(case)).first()
    if packet is None:
        return None
    version = active(packet)
    chain(packet)
    letters = SendIntegration.objects.filter(decision_tracking_id=packet.decision_tracking_id)
    of_this_round = letters.filter(dedupe_key=f"letter:{packet.pk}:{version.decision_round}").count() if version else 0
    assert of_this_round == int(bool(version and version.utn_status == "SUCCESS")) or (
        # A letter of this round was sent before a failure that came later.
        version is not None and version.utn_status == "FAILED"
    )
    documents = PacketDocument.objects.filter(packet=packet).values_list("document_unique_identifier", "file_name")
    return row_of(Packet, packet), version and row_of(PacketDecision, version), sorted(documents)


def open_jobs(case: int):
    jobs = InboxJob.objects.filter(decision_tracking_id=tracking_id(case)).exclude(source="json_generator")
    return sorted(jobs.exclude(status__in=["DONE", "DEAD"]).values_list("message_type", "status", "note"))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
@given(data=st.data(), story=st.lists(MESSAGES, min_size=1, max_size=9))
def test_any_order_any_number_of_times_ends_in_the_same_state(data, story):
    # Copies that were written later, and late copies of what was said before.
    story = story + data.draw(st.lists(st.sampled_from(story), max_size=3), label="copies")
    began = seconds_ago(3600)
    unreadable = st.sampled_from(UNREADABLE)
    times = [data.draw(unreadable) if kind in ("payload", "utn", "utn_fail") else None for kind, _ in story]
    messages = [
        (kind, what, times[place] or began + timedelta(seconds=place), place)
        for place, (kind, what) in enumerate(story)
    ]
    told, shuffled = next(cases), next(cases)
    for message in messages:
        write_message(told, *message)
        handle(told, reconciles=message[2] in UNREADABLE)
    for message in data.draw(st.permutations(messages), label="order"):
        write_message(shuffled, *message)
        if data.draw(st.booleans(), label="handle now"):
            drain_all(data.draw(st.sampled_from([1, 2, 200]), label="batch"))
    handle(shuffled, reconciles=True)
    assert end_of(shuffled) == end_of(told)
    assert open_jobs(shuffled) == open_jobs(told)
    assert what_an_audit_finds() == {}
    assert not InboxJob.objects.filter(status__in=["FAILED", "PROCESSING"]).exists()


class CaseWithPeople(RuleBasedStateMachine):
    """One case; messages come at any time, and people decide whenever they like."""

    @initialize(has_come=st.booleans())
    def begin(self, has_come):
        self.case = next(cases)
        self.began = seconds_ago(3600)
        if has_come:
            write_message(self.case, "intake", {}, self.began)
            drain_all()

    @rule(message=MESSAGES, second=st.integers(0, 1000))
    def a_message_comes(self, message, second):
        write_message(self.case, *message, self.began + timedelta(seconds=second))

    @rule(batch_size=st.sampled_from([1, 200]))
    def workers_work(self, batch_size):
        drain_all(batch_size)

    @rule(
        verb=st.sampled_from(
            [
                (approve, {}),
                (dismiss, {"denial_reason": DenialReason.OTHER, "denial_details": {"reason": "TEST"}}),
                (affirm, {}),
                (update_clinical_decision, {"answer": "AFFIRM"}),
                (update_clinical_decision, {"answer": "NON_AFFIRM"}),
                (update_operational_decision, {"to": "DECISION_COMPLETE"}),
                (update_operational_decision, {"to": "DISMISSAL_COMPLETE"}),
                (update_operational_decision, {"to": "PENDING"}),
            ]
        )
    )
    def somebody_decides(self, verb):
        decide, options = verb
        if packet := self.packet:
            with suppress(DecisionRefused):
                decided(decide, packet, **options)

    @rule(to=st.sampled_from(["Intake", "Validation", "Generate Decision Letter - Pending"]))
    def somebody_moves_it(self, to):
        if packet := self.packet:
            with suppress(MoveRefused), transaction.atomic():
                move_packet(packet.pk, to=to, seen=packet.detailed_status, by="ada", reason="a test")

    @property
    def packet(self):
        return Packet.objects.filter(decision_tracking_id=tracking_id(self.case)).first()

    @invariant()
    def what_always_holds(self):
        packet = self.packet
        if packet is None:
            return
        versions = chain(packet)
        letters = SendIntegration.objects.filter(decision_tracking_id=packet.decision_tracking_id)
        told = {f"letter:{packet.pk}:{v.decision_round}" for v in versions if v.utn_status == "SUCCESS"}
        assert set(letters.values_list("dedupe_key", flat=True)) == told
        begins = {}
        for version in versions:
            if version.clinical_decision != "PENDING":
                begins.setdefault(version.decision_round, version.pk)
        jobs = InboxJob.objects.filter(source="json_generator", decision_tracking_id=packet.decision_tracking_id)
        assert set(jobs.values_list("message_id", flat=True)) == set(begins.values())
        rounds = [version.decision_round for version in versions]
        requests = SendClinicalOps.objects.filter(decision_tracking_id=packet.decision_tracking_id)
        approved = {v.decision_round for v in versions if (v.decision_type, v.clinical_decision) == APPROVED}
        assert requests.count() <= len(approved)
        assert rounds == sorted(rounds)
        assert not InboxJob.objects.filter(status__in=["FAILED", "PROCESSING"]).exists()
        if packet.is_closed:
            assert versions, "closed by nobody's decision"

    def teardown(self):
        handle(self.case)
        if packet := self.packet:
            waiting = [note for _, status, note in open_jobs(self.case) if status == "WAITING"]
            version = active(packet)
            is_decided = version is not None and version.clinical_decision != "PENDING"
            assert not waiting or not (is_decided or packet.is_closed)
        assert what_an_audit_finds() == {}


def test_people_and_messages_in_any_order_keep_the_chain_and_the_outboxes_right():
    run_state_machine_as_test(
        CaseWithPeople,
        settings=settings(
            max_examples=40,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=PHASES,
        ),
    )
