"""Row 4, decision locking: of two who decide the same packet at the same moment, one decides and one is told why not.

A   locks the packet, reads the active version   | held before it writes
B   wants to lock the packet, and waits
A   writes its version, and commits
B   reads the version of A: its own view is stale
"""

from functools import partial

from decisions.codes import ClinicalDecision
from decisions.staff.approve import approve
from decisions.staff.update_clinical_decision import update_clinical_decision
from verification import cases, messages
from verification.proof.stage import Stage
from verification.protections import decisions as its
from verification.row import Proof, Row

STAFF_WRITES = "decisions.staff.decide:write_versions"
MESSAGES_WRITE = "decisions.messages.apply:write_versions"


def two_first_decisions(stage: Stage) -> list[str]:
    """Two people approve a packet without a decision."""
    packet = cases.new_packet()
    steps = cases.deciding(approve, packet), cases.deciding(approve, packet, by="grace")
    return cases.second_is_told(packet, *cases.one_after_the_other(stage, *steps, gate=STAFF_WRITES))


def approve_against_dismiss(stage: Stage) -> list[str]:
    """A approves, B dismisses."""
    packet = cases.new_packet()
    steps = cases.deciding(approve, packet), cases.dismissing(packet, by="grace")
    return cases.second_is_told(packet, *cases.one_after_the_other(stage, *steps, gate=STAFF_WRITES))


@cases.tidy
def two_updates(stage: Stage) -> list[str]:
    """Two people correct the same clinical decision."""
    packet = cases.new_packet()
    cases.deciding(update_clinical_decision, packet, answer=ClinicalDecision.AFFIRM)()
    correct = partial(cases.deciding, update_clinical_decision, packet, answer=ClinicalDecision.NON_AFFIRM)
    return cases.second_is_told(
        packet, *cases.one_after_the_other(stage, correct(), correct(by="grace"), gate=MESSAGES_WRITE)
    )


@cases.tidy
def staff_dismiss_while_an_answer_takes_effect(stage: Stage) -> list[str]:
    """A is a worker with the answer of ClinicalOps, B a person who dismisses."""
    packet = cases.new_packet()
    steps = (
        cases.working_on("clinical_decision", messages.write_answer(packet, "A")),
        cases.dismissing(packet),
    )
    results = cases.one_after_the_other(stage, *steps, gate=MESSAGES_WRITE)
    return cases.second_is_told(packet, *results)


@cases.tidy
def an_answer_comes_while_staff_dismiss(stage: Stage) -> list[str]:
    """A is a person who dismisses, B a worker with the answer of ClinicalOps, which is ignored for a reason."""
    packet = cases.new_packet()
    handle = cases.working_on("clinical_decision", message := messages.write_answer(packet, "A"))
    first, _ = cases.one_after_the_other(stage, cases.dismissing(packet), handle, gate=STAFF_WRITES)
    job = cases.jobs_of("clinical_decision", message).get()
    broken = cases.faults_of(packet) + cases.errors_of(first)
    return broken + ([] if job.note else [f"the job of the answer is {job.status}: {job.error_kind or 'it counts'}"])


def two_writers_who_forget_the_lock(stage: Stage) -> list[str]:
    """A and B write a first version without the lock of the packet, as no code of the product does."""
    packet = cases.new_packet()
    write = partial(cases.write_without_lock, packet)
    results = cases.one_after_the_other(stage, write, write, gate="verification.cases:write_versions")
    return cases.faults_of(packet) + cases.other_than(1, "refused of two", len(cases.errors_of(*results)))


ROW = Row(
    key="decisions",
    number="4",
    title="Decision locking",
    promise="One decision at a time, based on the current version; the loser is told why.",
    mechanism="FOR NO KEY UPDATE on the packet, then the active version is read; behind it, a partial unique index.",
    code=("decisions.case:_lock", "decisions.staff.decide:open_case", "decisions.versions:write_versions"),
    objects=(
        "index decision_one_active_per_packet",
        "constraint decision_once_per_request",
        "constraint decision_message_once",
        "trigger decision_append_only on packet_decision",
    ),
    proofs=[
        Proof(two_first_decisions, without=[its.LOCKS_THE_PACKET, its.LOCK_AND_INDEX]),
        Proof(approve_against_dismiss, without=[its.LOCKS_THE_PACKET, its.READS_AFTER_THE_LOCK]),
        Proof(two_updates, without=[its.LOCKS_THE_PACKET, its.READS_AFTER_THE_LOCK]),
        Proof(staff_dismiss_while_an_answer_takes_effect, without=[its.LOCKS_THE_PACKET]),
        Proof(an_answer_comes_while_staff_dismiss, without=[its.LOCKS_THE_PACKET]),
        Proof(two_writers_who_forget_the_lock, without=[its.ONE_ACTIVE_VERSION]),
    ],
)
