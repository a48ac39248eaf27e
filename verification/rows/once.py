"""Row R2, no message is processed by two: effects and status commit together.

First race:                                     Second race:
A   claims the job, and has its effect          A   claims the job, and has its effect
    | is held before the status                     | is held before the status
A   is killed                                   R   reclaims old claims, and skips what A has locked
R   reclaims the job                            B   claims, and finds nothing
B   claims it, has the effect, finishes         A   goes on, finishes
"""

from functools import partial

from inbox.engine.work import work
from verification.job_steps import claim_and_work, old_claim, the_job
from verification.proof.stage import Stage
from verification.protections.effects import EFFECTS_OUTSIDE
from verification.protections.lease import LOCKS_ITS_JOBS
from verification.row import Proof, Row
from verification.scenes import end_jobs, make_claims_old, make_jobs, reclaim_old, witnesses


def a_worker_is_killed_between_effect_and_status(stage: Stage) -> list[str]:
    """Another one processes the job from the start, and there is one effect."""
    make_jobs(1)
    with stage.hold("inbox.engine.work:finish", only=("A",)):
        stage.start("A", partial(claim_and_work, "A"))
        stage.kill("A")
        stage.go("A")
        stage.end("A")
    make_claims_old()
    stage.do("R", reclaim_old)
    stage.do("B", partial(claim_and_work, "B"))
    return more_or_less_than_one_effect()


def a_claim_grows_old_between_effect_and_status(stage: Stage) -> list[str]:
    """Nobody can reclaim the job of a worker that is in the middle of it."""
    old = old_claim(stage)
    with stage.hold("inbox.engine.work:finish", only=("A",)):
        stage.start("A", partial(work, old))
        stage.do("R", reclaim_old)
        stage.do("B", partial(claim_and_work, "B"))
        stage.go("A")
        stage.end("A").get()
    return more_or_less_than_one_effect()


def more_or_less_than_one_effect() -> list[str]:
    """Broken promises of the only job of this round, which should be DONE with one effect."""
    job = the_job()
    effects = witnesses([job.pk])
    end_jobs()
    return [] if (job.status, effects) == ("DONE", 1) else [f"job {job.pk} is {job.status} and had {effects} effects"]


ROW = Row(
    key="once",
    number="R2",
    title="No message is processed by two",
    promise="A message has its effect exactly once, whoever dies or grows slow in the middle of it.",
    mechanism="One transaction locks the jobs of the lease, runs the handler and writes the status.",
    code=("inbox.engine.work:_handle", "inbox.engine.work:LOCK_LEASED_JOBS"),
    proofs=[
        Proof(a_worker_is_killed_between_effect_and_status, without=[EFFECTS_OUTSIDE]),
        Proof(a_claim_grows_old_between_effect_and_status, without=[LOCKS_ITS_JOBS]),
    ],
)
