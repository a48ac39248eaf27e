"""Row P1, presence: real worker processes, one of which is killed, and a restart of the server.

W       a process registers and claims jobs
R       reclaims from those that are gone     | not from W
W       is killed with SIGKILL             | another installation has a worker of the same number
R       reclaims from those that are gone     | all jobs of W, at once

W       a process registers and claims jobs
        the server restarts: W's lock is gone | W lives, and is on its way back
R       reclaims from those that are gone     | from nobody yet
        the grace after the start is over
R       reclaims from those that are gone     | all jobs of W, which has not come back

A       registers: its row is made            | is held before it has its lock, then once it has committed
R       looks who is gone                     | not A, whose row it does not see, or whose lock it sees
"""

from functools import partial

from inbox.worker.liveness import GRACE_S
from verification.gone_workers import (
    JOBS,
    end_presence,
    forget_workers,
    only_elsewhere,
    reclaim_from_the_gone,
    register_and_leave,
    rows_are_told,
    still_has,
    working_process,
)
from verification.proof.stage import Stage
from verification.protections.presence import FINDS_THE_GONE, GRACE, HOLDS_A_LOCK, KNOWS_ITS_OWN, LOCKS_AS_IT_REGISTERS
from verification.row import Proof, Row

LONG_AGO_S = 3600


def a_worker_process_is_killed(stage: Stage) -> list[str]:
    """Its jobs are reclaimed at once; as long as it lives, it keeps them."""
    broken = []
    with working_process() as worker:
        look(stage, LONG_AGO_S)
        if still_has(worker) < JOBS:
            broken.append("a worker that is alive was robbed of its jobs")
        worker.kill()
        with only_elsewhere(worker):
            look(stage, LONG_AGO_S)
        if still_has(worker):
            broken.append("a worker was killed, and its jobs were not reclaimed at once")
    return broken


def the_server_restarts(stage: Stage) -> list[str]:
    """No worker counts as gone before it had the time to come back."""
    broken = []
    with working_process() as worker:
        end_presence(worker)
        look(stage, 1)
        if still_has(worker) < JOBS:
            broken.append("the server restarted, and a worker was robbed before it could come back")
        look(stage, GRACE_S + 1)
        if still_has(worker):
            broken.append("a worker did not come back, and its jobs were not reclaimed")
    return broken


def a_worker_registers_while_others_look(stage: Stage) -> list[str]:
    """Nobody sees it without its lock."""
    gone = []
    for place in ("row_is_made", "row_is_seen"):
        with rows_are_told(), stage.hold(f"verification.gone_workers:{place}"):
            stage.start("A", register_and_leave)
        gone += look(stage, LONG_AGO_S)
        stage.go("A")
        stage.end("A").get()
        forget_workers()
    return ["a worker that registered just now was taken for gone"] if gone else []


def look(stage: Stage, server_age_s: int) -> list[int]:
    stage.start("R", partial(reclaim_from_the_gone, server_age_s))
    gone: list[int] = stage.end("R").get()
    return gone


ROW = Row(
    key="presence",
    number="P1",
    title="Presence of workers",
    promise="The jobs of a worker that was killed are reclaimed at once; one that is alive is never robbed.",
    mechanism="A session lock on inbox_worker.id and one on its table; for a while after a start nobody is gone.",
    code=("inbox.worker.presence:Presence._register", "inbox.worker.liveness:SELECT_HELD_LOCKS"),
    objects=("index inbox_worker_running",),
    proofs=[
        Proof(a_worker_process_is_killed, without=[HOLDS_A_LOCK, FINDS_THE_GONE, KNOWS_ITS_OWN], rounds=10),
        Proof(the_server_restarts, without=[GRACE], rounds=10),
        Proof(a_worker_registers_while_others_look, without=[LOCKS_AS_IT_REGISTERS]),
    ],
)
