"""Row 7, ClinicalOps processing: two pollers at one row, one of which dies, while ClinicalOps corrects it.

A   makes the job of the row and raises its flag   | held before it commits
B   finds the row locked, and skips it
A   is killed: job and flag are as before
B   makes the job, and works on it
"""

from functools import partial

from decisions.models import DecisionMessage
from decisions.sources import CLINICAL_DECISION
from inbox.api import wake
from inbox.engine.ingest import ingest
from inbox.engine.reclaim import reclaim_stale
from verification import cases, messages
from verification.proof.stage import Stage
from verification.protections import clinical_ops as its
from verification.protections.effects import EFFECTS_OUTSIDE
from verification.row import Proof, Row

_ingest = cases.in_transaction(ingest, CLINICAL_DECISION)
_worker = partial(cases.working_on, CLINICAL_DECISION.name)


@cases.tidy
def a_poller_dies_while_it_ingests(stage: Stage) -> list[str]:
    """A is killed before it commits; B does not wait for A, and the row gets one job."""
    message = messages.write_answer(cases.new_packet(), "A")
    with stage.hold(cases.COMMIT, only=("A",)):
        stage.start("A", _ingest)
        stage.start("B", _ingest)
        broken = ["B waits for A"] if stage.is_waiting("B") else []
        cases.die(stage, "A")
    broken += cases.errors_of(stage.end("B"))
    return broken + cases.other_than(1, "jobs of the row", cases.jobs_after_ingest(CLINICAL_DECISION, message))


@cases.tidy
def a_poller_dies_while_it_works(stage: Stage) -> list[str]:
    """A is killed when it has applied the answer and not yet finished the job; B reclaims the job, and applies it."""
    message = messages.write_answer(packet := cases.new_packet(), "A")
    with stage.hold("inbox.engine.work:finish", only=("A",)):
        stage.start("A", _worker(message))
        cases.die(stage, "A")
    broken = ["an effect of A stays, and its job is not done"] if cases.active(packet) else []
    reclaim_stale(stale_after_s=0, max_attempts=5, limit=10)
    stage.start("B", _worker(message))
    broken += cases.errors_of(stage.end("B")) + cases.faults_of(packet)
    return broken + ([] if cases.active(packet) else ["the answer has no effect"])


@cases.tidy
def a_correction_meets_two_ingests(stage: Stage) -> list[str]:
    """B ingests the row, W corrects it and waits for B, A ingests too: A must not raise the flag of W's correction."""
    message = messages.write_answer(cases.new_packet(), "A")
    with stage.hold(cases.COMMIT, only=("B",)):
        stage.start("B", _ingest)
        stage.start("W", partial(messages.rewrite_answer, message, "N"))
        stage.start("A", _ingest)
        stage.go("B")
    errors = cases.errors_of(*map(stage.end, "BWA"))
    return errors + cases.other_than(2, "jobs of two contents", cases.jobs_after_ingest(CLINICAL_DECISION, message))


@cases.tidy
def a_correction_meets_its_handler(stage: Stage) -> list[str]:
    """W corrects the row and has not committed; A handles the old content; W commits; the rest is worked off."""
    message = messages.write_answer(packet := cases.new_packet(), "A")
    handle = _worker(message)
    with stage.hold(cases.COMMIT, only=("W",)):
        stage.start("W", cases.in_transaction(messages.rewrite_answer, message, "N"))
        stage.start("A", handle)
        broken = ["A waits for the writer, with the packet locked"] if stage.is_waiting("A") else []
        stage.go("W")
    broken += cases.errors_of(stage.end("W"), stage.end("A"))
    wake([packet.decision_tracking_id], why="the writer has committed")
    cases.work_off(CLINICAL_DECISION)
    applied = list(DecisionMessage.objects.filter(packet=packet).values_list("revision", "content__answer"))
    return broken + cases.other_than([(2, "NON_AFFIRM")], "what is applied", applied)


ROW = Row(
    key="clinical-ops",
    number="7",
    title="ClinicalOps processing",
    promise="Each content of a row has one job and one effect, whoever dies; no correction is lost or mixed up.",
    mechanism="FOR UPDATE SKIP LOCKED raises the flag with the job; a trigger keeps revisions; handlers lock the row.",
    code=(its.INGEST, "decisions.messages.clinical_answer:LOCK_ROWS", "decisions.messages.clinical_ops:SELECT_ROWS"),
    objects=("trigger clinical_ops_revisions on service_ops_send_serviceops", "function clinical_ops_keep_revisions"),
    proofs=[
        Proof(a_poller_dies_while_it_ingests, without=[its.SKIPS_LOCKED_ROWS], rounds=10),
        Proof(a_poller_dies_while_it_works, without=[EFFECTS_OUTSIDE], rounds=10),
        Proof(a_correction_meets_two_ingests, without=[its.LOCKS_ROWS_OF_FLAGS, its.KEEPS_REVISIONS]),
        Proof(a_correction_meets_its_handler, without=[its.LOCKS_ROWS_OF_ANSWERS, its.HANDLES_ITS_REVISION]),
    ],
)
