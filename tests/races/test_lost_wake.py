"""A wake that comes between a look and the COMMIT that makes the job wait: the job heals within seconds."""

import pytest

from packets.models import Packet
from tests.support.cases import active, packet, utn
from tests.support.clinical import write_decision
from tests.support.drain import drain, drain_all, job_of
from tests.support.probe import wait_until
from tests.support.rows import esmd, send, tracking_id
from verification.proof.stage import Stage

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stage():
    made = Stage()
    yield made
    made.close()


def test_a_wake_that_comes_a_moment_too_early_is_made_up_for_within_seconds(stage):
    """B brings the packet and the answer while A, which has seen no packet, has not said yet that the UTN waits."""
    message = utn()
    with stage.hold("decisions.messages.handler:lock_cases", after=True, only=("A",)):
        stage.start("A", drain)
    send(esmd(tracking_id(1)), tracking_id(1))
    write_decision()
    stage.do("B", drain_all)
    stage.go("A")
    stage.end("A").get()
    assert (job_of(message).status, job_of(message).note) == ("WAITING", "the packet")
    assert active(Packet.objects.get()).clinical_decision == "AFFIRM"
    # Sooner than the first step of INBOX_BACKOFF.
    wait_until(lambda: drain().done and job_of(message).status == "DONE", timeout_s=40)


def test_the_wake_of_an_answer_is_not_lost_as_both_lock_the_packet(stage):
    packet()
    message = utn()
    with stage.hold("decisions.messages.handler:lock_cases", after=True, only=("A",)):
        stage.start("A", drain)
    write_decision()
    stage.start("B", drain_all)
    assert stage.is_waiting("B")
    stage.go("A")
    stage.end("A").get()
    stage.end("B").get()
    # B has found it due.
    drain()
    assert job_of(message).status == "DONE"
