"""Row 6, status updates: a FAILED that comes after DONE, and moves that nobody may make.

A   works, and its handler raises             | is held before it records the failure
R   reclaims the job, as the claim is old
B   claims it and finishes: DONE
A   records its FAILED, and finds nothing to write to

Second race: A finishes what it locked in an earlier transaction. Third: at psql, a hand updates the row that A is
about to finish; it waits, and is refused. Fourth: so is every other move.
"""

from functools import partial
from itertools import product

from django.db import transaction

from inbox.engine.claim import claim
from inbox.engine.finish import finish
from inbox.engine.work import lock_leased, work_on
from inbox.outcomes import done, retry
from inbox.statuses import ALLOWED_MOVES, Status
from verification.job_steps import claim_and_work, fails, is_moved_by_hand, new_job_in, old_claim, refusals, the_job
from verification.proof.stage import Stage
from verification.protections.lease import GUARD_IN_FINISH, GUARD_MOVES, NO_GUARD, NO_GUARD_NO_TRIGGER
from verification.row import Proof, Row
from verification.scenes import SOURCE, end_jobs, make_jobs, reclaim_old


def a_late_failure_comes_after_done(stage: Stage) -> list[str]:
    """The job stays DONE, and the worker that is late just learns that it lost the job."""
    old = old_claim(stage)
    with stage.hold("inbox.engine.work:_fail", only=("A",)):
        stage.start("A", partial(work_on, old, fails, old.all_inbox_ids))
        stage.do("R", reclaim_old)
        stage.do("B", partial(claim_and_work, "B"))
        stage.go("A")
        broken = [f"the worker broke: {text}" for text in refusals(stage.end("A"))]
    return broken + other_than_done()


def a_finish_under_a_lease_that_is_gone(stage: Stage) -> list[str]:
    """Whatever outcome it brings, the job stays with its new owner."""
    broken = []
    for outcome in (done(), retry("late")):
        old = old_claim(stage)
        jobs = stage.do("A", transaction.atomic(partial(lock_leased, old.lease_id, old.all_inbox_ids)))
        stage.do("R", reclaim_old)
        stage.do("B", partial(claim, SOURCE, worker_id="B", limit=1))
        stage.do("A", partial(finish, old.lease_id, "A", [(jobs[0], outcome)]))
        if (job := the_job()).locked_by != "B":
            broken.append(f"job {job.pk} was claimed by B, and A made it {job.status}")
        end_jobs()
    return broken


def a_hand_updates_the_row_that_a_worker_finishes(stage: Stage) -> list[str]:
    """Its UPDATE waits for the worker's transaction, and is then refused."""
    make_jobs(1)
    with stage.hold("inbox.engine.work:finish", after=True, only=("A",)):
        stage.start("A", partial(claim_and_work, "A"))
        stage.start("psql", partial(is_moved_by_hand, the_job().pk, Status.FAILED))
        stage.go("A")
    stage.end("A").get()
    stage.end("psql").get()
    return other_than_done()


def other_than_done() -> list[str]:
    """The job of this round, if it isn't DONE any more."""
    job = the_job()
    end_jobs()
    return [] if job.status == Status.DONE else [f"job {job.pk} was DONE and is {job.status}"]


def every_other_move_is_tried_by_hand(stage: Stage) -> list[str]:
    """No status changes in a way that inbox/statuses.py does not allow."""
    moves = [move for move in product(Status, Status) if move[0] != move[1] and move not in ALLOWED_MOVES]
    jobs = [new_job_in(old) for old, _ in moves]
    moved = [stage.do("psql", partial(is_moved_by_hand, job, new)) for job, (_, new) in zip(jobs, moves, strict=True)]
    end_jobs()
    return [f"a job moved from {old} to {new}" for (old, new), has in zip(moves, moved, strict=True) if has]


ROW = Row(
    key="status",
    number="6",
    title="Status updates",
    promise="DONE is final. No worker and no hand makes a move that is not allowed.",
    mechanism="The guard in the WHERE of every finish; behind it the trigger inbox_guard_moves.",
    code=("inbox.engine.finish:FINISH_WITH_OUTCOME", "inbox.engine.work:_fail", "inbox.statuses:ALLOWED_MOVES"),
    objects=("trigger inbox_guard_moves on integration_inbox", "constraint inbox_status_known"),
    proofs=[
        Proof(a_late_failure_comes_after_done, without=[NO_GUARD, NO_GUARD_NO_TRIGGER]),
        Proof(a_finish_under_a_lease_that_is_gone, without=[GUARD_IN_FINISH]),
        Proof(a_hand_updates_the_row_that_a_worker_finishes, without=[GUARD_MOVES]),
        Proof(every_other_move_is_tried_by_hand, without=[GUARD_MOVES], rounds=1),
    ],
)
