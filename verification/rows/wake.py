"""Row P2, wake: a job waits for a packet, which somebody opens.

B       opens the packet, and wakes the job   | is held before COMMIT
C       works on the job, if it is due        | it is not, and would not find the packet yet
B       commits                               | or is killed: then there is no wake
C       works on the job, if it is due        | it is

A       claims the job, which is due again    | is held before it marks the job
B       opens the packet, and wakes the job   | waits for nobody: A has the job

A       works on the job: there is no packet  | is held before it says so
B       opens the packet, and wakes the job   | in vain: it does not wait yet
A       goes on: the job waits
        some seconds pass, until the first early look
C       works on the job, if it is due        | it is
"""

from collections.abc import Callable

from verification.proof.stage import Stage
from verification.protections.wake import CLOCK, WAKE_SKIPS_LOCKED, WAKES_WITH_WHAT_CAME
from verification.row import Proof, Row
from verification.waiting_jobs import WaitingJob


def the_packet_of_a_waiting_job_is_opened(stage: Stage) -> list[str]:
    """The job is due as soon as the packet is there, and not before."""
    job = WaitingJob()
    job.work()
    with stage.hold("packets.open_packet:wake", after=True):
        stage.start("B", job.open_packet)
    take(stage, "C", job.work)
    stage.go("B")
    stage.end("B").get()
    take(stage, "C", job.work)
    return [] if job.end() == "DONE" else ["a job still waits, though its packet is there"]


def a_process_that_opens_a_packet_is_killed(stage: Stage) -> list[str]:
    """Neither the packet nor the wake is there."""
    job = WaitingJob()
    job.work()
    with stage.hold("packets.open_packet:wake", after=True):
        stage.start("B", job.open_packet)
    stage.kill("B")
    stage.go("B")
    stage.end("B")
    return [] if job.end() == "WAITING" else ["a job was woken for a packet that never came"]


def a_wake_meets_a_claim(stage: Stage) -> list[str]:
    """It waits for no lock."""
    job = WaitingJob()
    job.work()
    job.let_time_pass()
    with stage.hold("inbox.engine.claim:_mark"):
        stage.start("A", job.work)
    stage.start("B", job.open_packet)
    waits = stage.is_waiting("B")
    stage.go("A")
    stage.end("A").get()
    stage.end("B").get()
    job.end()
    return ["a wake waited for a lock"] if waits else []


def a_wake_comes_a_moment_too_early(stage: Stage) -> list[str]:
    """The first early look makes up for it."""
    job = WaitingJob()
    with stage.hold("verification.waiting_jobs:look_for_packets", after=True):
        stage.start("A", job.work)
    take(stage, "B", job.open_packet)
    stage.go("A")
    stage.end("A").get()
    job.let_time_pass()
    take(stage, "C", job.work)
    return [] if job.end() == "DONE" else ["a job whose wake was lost is not looked at again in time"]


def take(stage: Stage, name: str, step: Callable[[], None]) -> None:
    stage.start(name, step)
    stage.end(name).get()


ROW = Row(
    key="wake",
    number="P2",
    title="Wake of waiting jobs",
    promise="The transaction that brings what a job waits for wakes it, without a wait; the clock does the rest.",
    mechanism="SELECT … FOR UPDATE SKIP LOCKED in that transaction; an early look makes up for a lost wake.",
    code=("inbox.engine.wake:LOCK_WAITING_JOBS", "inbox.engine.backoff:delay_while_waiting_s"),
    objects=("index inbox_tracking", "index inbox_due"),
    proofs=[
        Proof(the_packet_of_a_waiting_job_is_opened, without=[WAKES_WITH_WHAT_CAME]),
        Proof(a_process_that_opens_a_packet_is_killed, without=[WAKES_WITH_WHAT_CAME]),
        Proof(a_wake_meets_a_claim, without=[WAKE_SKIPS_LOCKED]),
        Proof(a_wake_comes_a_moment_too_early, without=[CLOCK]),
    ],
)
