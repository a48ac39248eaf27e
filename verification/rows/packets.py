"""Row 3, packet creation: two who create the packet of one case at the same moment make one packet.

A   inserts the packet                | held before it commits
B   inserts the packet, and waits for the unique key
A   commits
B   finds the packet of A: the newer intake counts, and a packet that staff opened is filled
"""

from functools import partial

from packets.codes import Channel
from packets.open_packet import open_packet
from verification import cases, messages
from verification.patches import patched
from verification.proof.stage import Stage
from verification.protections import packets as its
from verification.row import Proof, Row
from verification.scenes import new_tracking_id

INTAKE_INSERTED = "packets.intake.handler:wake"
STAFF_INSERTED = "packets.open_packet:wake"
_worker = partial(cases.working_on, "integration")
_person = partial(open_packet, channel=Channel.FAX, by="ada", reason="a proof")


@cases.tidy
def the_newer_intake_comes_second(stage: Stage) -> list[str]:
    """A has the older of two intakes of one case, B the newer, which the packet then follows."""
    older, newer = messages.send_intake(case := new_tracking_id(), second=1), messages.send_intake(case, second=2)
    return cases.race_to_create(stage, case, newer, INTAKE_INSERTED, _worker(older), _worker(newer))


@cases.tidy
def the_newer_intake_comes_first(stage: Stage) -> list[str]:
    """A has the newer of two intakes of one case, B the older, which is ignored."""
    older, newer = messages.send_intake(case := new_tracking_id(), second=1), messages.send_intake(case, second=2)
    return cases.race_to_create(stage, case, newer, INTAKE_INSERTED, _worker(newer), _worker(older))


@cases.tidy
def two_intakes_of_a_packet_that_is_there(stage: Stage) -> list[str]:
    """A has the older one, and looks whether it is newer than the packet's; B has the newer one."""
    case = new_tracking_id()
    first, older, newer = [messages.send_intake(case, second=second) for second in range(3)]
    _worker(first)()
    return cases.race_to_create(
        stage, case, newer, "packets.intake.apply:_reason_to_ignore", _worker(older), _worker(newer)
    )


@cases.tidy
def staff_open_a_packet_that_an_intake_creates(stage: Stage) -> list[str]:
    """A is a worker with the intake, B a person who opens the packet by hand."""
    message = messages.send_intake(case := new_tracking_id())
    return cases.race_to_create(stage, case, message, INTAKE_INSERTED, _worker(message), partial(_person, case))


@cases.tidy
def an_intake_comes_while_staff_open_its_packet(stage: Stage) -> list[str]:
    """A is a person who opens the packet by hand, B a worker with the intake, which fills it."""
    message = messages.send_intake(case := new_tracking_id())
    return cases.race_to_create(stage, case, message, STAFF_INSERTED, partial(_person, case), _worker(message))


@cases.tidy
def two_batches_in_opposite_order(stage: Stage) -> list[str]:
    """A creates cases 1, 2, 3, B creates 3, 2, 1, and P opens 2: sorted, B waits at 1 for A, and not at 2 with 3."""
    batch = sorted(new_tracking_id() for _ in range(3))
    forth = _worker(*[messages.send_intake(case, second=place) for place, case in enumerate(batch)])
    back = _worker(*[messages.send_intake(case, second=place) for place, case in enumerate(reversed(batch))])
    # At the first deadlock the jobs are given back, so that it shows.
    with patched("inbox.engine.work:DEADLOCK_TRIES", lambda _: 1), stage.hold(STAFF_INSERTED, only=("P",)):
        stage.start("P", partial(_person, batch[1]))
        stage.start("A", forth)
        stage.start("B", back)
        stage.go("P")
        results = [stage.end(name) for name in "PAB"]
    counts = [result.value.given_back for result in results[1:]]
    return cases.errors_of(*results) + [f"{count} jobs were given back after a deadlock" for count in counts if count]


KEY = [its.ONE_PACKET_PER_CASE, its.MEETS_THE_OTHER]
ROW = Row(
    key="packets",
    number="3",
    title="Packet creation",
    promise="One packet per case, whoever creates it; the newest intake counts; two batches never deadlock.",
    mechanism="A unique key, ON CONFLICT DO NOTHING, inserts in the order of tracking ids; get_or_create for staff.",
    code=(its.STATEMENT, "packets.intake.apply:update_older", "packets.open_packet:open_packet"),
    objects=("constraint packet_decision_tracking_id_key", "constraint packet_document_once"),
    proofs=[
        Proof(the_newer_intake_comes_second, without=KEY),
        Proof(the_newer_intake_comes_first, without=KEY),
        Proof(two_intakes_of_a_packet_that_is_there, without=[its.LOCKS_WHAT_IT_COMPARES]),
        Proof(staff_open_a_packet_that_an_intake_creates, without=[its.ONE_PACKET_PER_CASE]),
        Proof(an_intake_comes_while_staff_open_its_packet, without=KEY),
        Proof(two_batches_in_opposite_order, without=[its.INSERTS_IN_ORDER]),
    ],
)
