"""Decisions made at the same moment by people and workers, in real parallel sessions, again and again.

Whatever happens, a packet has one active version, its chain has no gap, the loser is told why, and nothing deadlocks.
"""

import random
from threading import Thread
from uuid import uuid4

import pytest
from django.db import connection, transaction

from decisions.case import lock_case
from decisions.codes import DenialReason, OperationalDecision
from decisions.errors import DecidedMeanwhile, DecisionRefused, NotAllowedNow
from decisions.models import PacketDecision, SendClinicalOps, SendIntegration
from decisions.staff.approve import approve
from decisions.staff.dismiss import dismiss
from decisions.staff.update_clinical_decision import update_clinical_decision
from decisions.staff.update_operational_decision import update_operational_decision
from inbox.engine.claim import claim
from inbox.engine.ingest import ingest
from inbox.engine.work import work
from inbox.models import InboxJob
from inbox.registry import source
from packets.models import Packet
from tests.support.cases import BY, active, active_key, affirmed, approved, chain, decided, fresh, packet, utn
from tests.support.clinical import write_decision
from tests.support.drain import drain_all
from tests.support.probe import in_threads, lock_waiters, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 50
DISMISSAL = {"denial_reason": DenialReason.OTHER, "denial_details": {"reason": "TEST"}}


@pytest.fixture(autouse=True)
def no_deadlock(transactional_db):
    before = deadlocks()
    yield
    assert deadlocks() == before


def deadlocks():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return cursor.fetchone()[0]


def attempt(verb, of, **options):
    """A function that decides and returns the version, or the refusal that it met."""
    options = {"correlation_id": uuid4(), "seen": active_key(of), **BY} | options

    def run():
        try:
            with transaction.atomic():
                return verb(of.pk, **options)
        except DecisionRefused as refusal:
            return refusal

    return run


def taken_in(name):
    """A function that works on what is due of this source now, claimed beforehand."""
    ingest(source(name))
    claimed = claim(source(name), worker_id=name, limit=200)
    assert claimed
    return lambda: work(claimed)


def one_of_two(results, refusal):
    """Exactly one version was made, and the loser was refused with the reason."""
    versions = [result for result in results if isinstance(result, PacketDecision)]
    refusals = [result for result in results if isinstance(result, refusal)]
    assert (len(versions), len(refusals)) == (1, 1), results
    return versions[0]


def test_two_first_decisions():
    for number in range(1, ROUNDS + 1):
        case = packet(number)
        winner = one_of_two(in_threads(attempt(approve, case), attempt(approve, case)), DecidedMeanwhile)
        assert chain(case) == [winner]
    assert SendClinicalOps.objects.count() == ROUNDS


def test_the_same_request_twice_makes_one_version():
    for number in range(1, ROUNDS + 1):
        case, request = packet(number), uuid4()
        first, second = in_threads(*[attempt(approve, case, correlation_id=request) for _ in range(2)])
        assert first == second
        assert len(chain(case)) == 1


def test_two_updates():
    for number in range(1, ROUNDS + 1):
        case = affirmed(number)
        updates = [attempt(update_clinical_decision, case, answer="NON_AFFIRM", by=name) for name in ("ada", "grace")]
        winner = one_of_two(in_threads(*updates), DecidedMeanwhile)
        assert chain(case)[-1] == winner
        assert len(chain(case)) == 3


def test_approve_against_dismiss():
    for number in range(1, ROUNDS + 1):
        case = packet(number)
        results = in_threads(attempt(approve, case), attempt(dismiss, case, **DISMISSAL))
        winner = one_of_two(results, DecidedMeanwhile)
        assert chain(case) == [winner]
        expected = "Dismissal" if winner.decision_type == "DISMISSAL" else "Pending - Clinical Review"
        assert fresh(case).detailed_status == expected
        assert SendClinicalOps.objects.filter(decision_tracking_id=case.decision_tracking_id).count() == (
            winner.decision_type == "APPROVE"
        )


def test_approve_against_a_clinical_answer():
    first = set()
    for number in range(1, ROUNDS + 1):
        case = packet(number)
        write_decision(number)
        approval, _ = in_threads(attempt(approve, case), taken_in("clinical_decision"))
        first.add(isinstance(approval, PacketDecision))
        assert isinstance(approval, PacketDecision | DecidedMeanwhile)
        assert active(case).clinical_decision == "AFFIRM"
        assert len(chain(case)) == 1 + isinstance(approval, PacketDecision)
        assert fresh(case).detailed_status == "Clinical Decision Received"
        assert InboxJob.objects.filter(source="json_generator", message_id=active_key(case)).exists()


def test_dismiss_against_a_clinical_answer():
    for number in range(1, ROUNDS + 1):
        case = approved(number)
        write_decision(number)
        dismissal, _ = in_threads(attempt(dismiss, case, **DISMISSAL), taken_in("clinical_decision"))
        if isinstance(dismissal, PacketDecision):
            assert (active(case), fresh(case).detailed_status) == (dismissal, "Dismissal")
        else:
            assert isinstance(dismissal, DecidedMeanwhile | NotAllowedNow)
            assert active(case).clinical_decision == "AFFIRM"
        assert len(chain(case)) == 2


def test_a_clinical_answer_against_a_utn():
    for number in range(1, ROUNDS + 1):
        case = packet(number)
        write_decision(number)
        utn(number)
        in_threads(taken_in("clinical_decision"), taken_in("integration"))
        # A message that came too early waits, and has been woken.
        assert not InboxJob.objects.filter(status="WAITING").exists()
        drain_all()
        assert (active(case).clinical_decision, active(case).utn_status) == ("AFFIRM", "SUCCESS")
        assert list(SendIntegration.objects.filter(decision_tracking_id=case.decision_tracking_id).values_list(
            "dedupe_key", flat=True
        )) == [f"letter:{case.pk}:1"]  # fmt: skip
        chain(case)
    assert not InboxJob.objects.filter(attempt_count__gt=1).exists()


def test_a_batch_of_200_utns_and_people_on_the_same_packets_lose_nothing():
    cases = [affirmed(number) for number in range(1, 201)]
    for number in range(1, 201):
        utn(number, text=f"UTN-FAKE-{number:06}")
    work_on_utns = taken_in("integration")
    made = []

    def person(seed):
        rng = random.Random(seed)

        def decide():
            for case in rng.sample(cases, 60):
                verb, options = rng.choice(
                    [
                        (update_clinical_decision, {"answer": "NON_AFFIRM"}),
                        (update_operational_decision, {"to": OperationalDecision.DECISION_COMPLETE}),
                    ]
                )
                result = attempt(verb, case, **options)()
                if isinstance(result, PacketDecision):
                    made.append(result.pk)
                else:
                    assert str(result)

        return decide

    counts, *_ = in_threads(work_on_utns, *[person(seed) for seed in range(3)])
    drain_all()
    assert counts.done == 200
    assert PacketDecision.objects.filter(pk__in=made).count() == len(set(made)) > 0
    for case in cases:
        versions = chain(case)
        told = {version.utn for version in versions if version.utn}
        # Closed before its UTN came, or one letter; a later answer of a person ends its round.
        assert told <= {f"UTN-FAKE-{versions[0].packet.decision_tracking_id.int % 1000000:06}"} or len(told) == 1
        rounds = {version.decision_round for version in versions if version.utn_status == "SUCCESS"}
        assert SendIntegration.objects.filter(decision_tracking_id=case.decision_tracking_id).count() == len(rounds)
    assert not InboxJob.objects.filter(source="integration").exclude(status="DONE").exists()


def test_who_waits_for_the_packet_reads_the_decision_that_was_made_meanwhile():
    """The lock is of the packet: with no decision yet there would be nothing else to lock."""
    case = packet()
    with transaction.atomic():
        assert lock_case(case.pk).active is None
        results = []

        def run():
            try:
                results.append(attempt(approve, case, seen=None)())
            finally:
                connection.close()

        thread = Thread(target=run)
        thread.start()
        wait_until(lock_waiters)
        winner = approve(case.pk, correlation_id=uuid4(), **BY)
    thread.join(10)
    assert isinstance(results[0], DecidedMeanwhile)
    assert chain(case) == [winner]


def test_verbs_lock_no_more_than_the_packet_needs():
    """Rows that refer to a packet can be inserted while somebody decides."""
    case = packet()
    with transaction.atomic():
        lock_case(case.pk)

        def insert():
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '1s'")
                cursor.execute("INSERT INTO packet_event (packet_id, what) VALUES (%s, 'moved')", [case.pk])

        in_threads(insert)
    assert Packet.objects.filter(events__what="moved").exists()
    decided(approve, case)
