"""Row 5, stuck-job reclaimer: three reclaimers come to old claims whose owner is gone, late, or at work.

A            works on its jobs, late          | is held before the status
R1 R2 R3     skip them, and wait for nobody
A            goes on, and finishes

Second race: A is gone, and the reclaimers come at once. Third: A wakes while they are at its jobs, waits for them, and
finds that it has lost. Fourth: A's heartbeat has the middle one of three jobs, A the first, and the reclaimer the last.
"""

from functools import partial

from inbox.engine.heartbeat import renew_claims
from inbox.engine.work import work
from verification.job_steps import old_claim, wrong_sum
from verification.proof.stage import Stage
from verification.protections.reclaim import RECLAIM_LOCKS, RECLAIM_WAITS, RECLAIM_WAITS_IN_ANY_ORDER
from verification.row import Proof, Row
from verification.scenes import end_jobs, reclaim_old

JOBS = 3
RECLAIMERS = ("R1", "R2", "R3")


def reclaimers_come_while_the_owner_works(stage: Stage) -> list[str]:
    """They wait for no handler, and what it has locked is left alone."""
    old = old_claim(stage, JOBS)
    with stage.hold("inbox.engine.work:finish", only=("A",)):
        stage.start("A", partial(work, old))
        for name in RECLAIMERS:
            stage.start(name, reclaim_old)
        broken = [f"{name} waits for a handler" for name in RECLAIMERS if stage.is_waiting(name)]
        stage.go("A")
    broken += wrong_sum(stage.end("A"), *map(stage.end, RECLAIMERS), done=JOBS)
    end_jobs()
    return broken


def reclaimers_come_at_once(stage: Stage) -> list[str]:
    """Each job is reclaimed once: it gets one attempt back, not one from each of them."""
    old_claim(stage, JOBS)
    with stage.hold("inbox.engine.reclaim:_reclaim_locked"):
        results = stage.at_once(dict.fromkeys(RECLAIMERS, reclaim_old))
    broken = wrong_sum(*results.values(), given_back=JOBS)
    end_jobs()
    return broken


def the_owner_wakes_while_they_reclaim(stage: Stage) -> list[str]:
    """It finds that it has lost its jobs, and writes nothing."""
    old = old_claim(stage, JOBS)
    with stage.hold("inbox.engine.reclaim:_reclaim_locked"):
        for name in RECLAIMERS:
            stage.start(name, reclaim_old)
        stage.start("A", partial(work, old))
        for name in RECLAIMERS:
            stage.go(name)
    broken = wrong_sum(stage.end("A"), *map(stage.end, RECLAIMERS), given_back=JOBS, lost=JOBS)
    end_jobs()
    return broken


def a_heartbeat_a_finish_and_a_reclaim_meet(stage: Stage) -> list[str]:
    """No two of them wait for each other."""
    old = old_claim(stage, JOBS)
    first, middle, last = old.all_inbox_ids
    with stage.hold("inbox.models.job:JobQuerySet.lock_keys", after=True, only=("H",)):
        stage.start("H", partial(renew_claims, old.lease_id, [middle], None))
        stage.start("A", partial(work, old))
        stage.start("R", reclaim_old)
        stage.go("H")
    if is_cycle := stage.is_waiting("A") and stage.is_waiting("R"):
        stage.kill("R")
    stage.end("H").get()
    results = stage.end("A"), stage.end("R")
    end_jobs()
    if is_cycle:
        return [f"the owner has job {first} and the reclaimer job {last}, and each waits for the other"]
    return wrong_sum(*results, done=JOBS - 1, given_back=1, lost=1)


ROW = Row(
    key="reclaimer",
    number="5",
    title="Stuck-job reclaimer",
    promise="A reclaimer waits for nobody, and takes each job of a worker that is gone once.",
    mechanism="SELECT … FOR UPDATE SKIP LOCKED in key order picks the keys; an UPDATE returns exactly those.",
    code=("inbox.engine.reclaim:RECLAIM_JOBS", "inbox.models.job:JobQuerySet.lock_keys"),
    objects=("index inbox_claimed",),
    proofs=[
        Proof(reclaimers_come_while_the_owner_works, without=[RECLAIM_WAITS]),
        Proof(reclaimers_come_at_once, without=[RECLAIM_LOCKS]),
        Proof(the_owner_wakes_while_they_reclaim, without=[RECLAIM_LOCKS]),
        Proof(a_heartbeat_a_finish_and_a_reclaim_meet, without=[RECLAIM_WAITS_IN_ANY_ORDER]),
    ],
)
