"""Row R1, only the owner of a claim may finish it: a worker freezes, and wakes when its job has another owner.

A   has claimed the job, some time ago        | is held before it locks what it holds
R   reclaims it, as the claim is old
B   claims it                                 | is held there too
A   goes on, finds nothing under its lease, and leaves no effect
B   goes on, and finishes

The second race is the same within one worker, whose old session hangs: the new one gives back and claims again, so
name and attempt number of both claims are equal. In the third, A wakes in another verb than its work.
"""

from collections.abc import Callable
from functools import partial

from inbox.engine.claim import claim
from inbox.engine.give_back import give_back
from inbox.engine.heartbeat import renew_claims
from inbox.engine.reclaim import reclaim_own
from inbox.engine.work import work
from verification.job_steps import claim_and_work, old_claim, the_job
from verification.proof.stage import Stage
from verification.protections.lease import NO_LEASE_CHECK, OWNER_AND_ATTEMPT
from verification.row import Proof, Row
from verification.scenes import SOURCE, end_jobs, reclaim_old, witnesses

LATE_VERBS: dict[str, Callable[..., object]] = {
    "give back": give_back,
    "renew": partial(renew_claims, presence_id=None),
    "reclaim": reclaim_own,
}


def a_frozen_worker_wakes(stage: Stage) -> list[str]:
    """Its job was reclaimed, and belongs to another worker; it must leave no trace."""
    old = old_claim(stage)
    with stage.hold("inbox.engine.work:lock_leased"):
        stage.start("A", partial(work, old))
        stage.do("R", reclaim_old)
        stage.start("B", partial(claim_and_work, "B"))
        return wake_and_finish(stage)


def a_worker_claims_again_what_it_gave_back(stage: Stage) -> list[str]:
    """Its old session, A, wakes under the old lease of the same worker and the same attempt."""
    old = old_claim(stage)
    with stage.hold("inbox.engine.work:lock_leased"):
        stage.start("A", partial(work, old))
        stage.do("B", partial(give_back, old.lease_id, old.all_inbox_ids))
        stage.start("B", partial(claim_and_work, "A"))
        return wake_and_finish(stage)


def a_late_verb_under_a_lost_lease(stage: Stage) -> list[str]:
    """A gives back, renews and reclaims what it held; B has it now, and keeps it."""
    broken = []
    for name, verb in LATE_VERBS.items():
        old = old_claim(stage)
        stage.do("R", reclaim_old)
        current = stage.do("B", partial(claim, SOURCE, worker_id="B", limit=1))
        before = the_job()
        if stage.do("A", partial(verb, old.lease_id, current.all_inbox_ids)):
            broken.append(f"A could {name} job {before.pk}, which B had claimed")
        end_jobs()
    return broken


def wake_and_finish(stage: Stage) -> list[str]:
    """Let A wake, then B finish; returns what A did under its lost lease."""
    stage.go("A")
    late = stage.end("A").get()
    stage.go("B")
    current = stage.end("B").get()
    job = the_job()
    broken = []
    if late.lost != 1:
        broken.append(f"A finished job {job.pk} under a lease that it had lost")
    if current.done != 1:
        broken.append(f"B could not finish job {job.pk}, which it had claimed")
    if (effects := witnesses([job.pk])) != 1:
        broken.append(f"job {job.pk} had {effects} effects")
    end_jobs()
    return broken


ROW = Row(
    key="owner",
    number="R1",
    title="Only the owner of a claim may finish it",
    promise="A worker that has lost its claim writes nothing, however late it wakes up.",
    mechanism="Every write is guarded by lease_id and PROCESSING; a lease id is never used twice.",
    code=("inbox.models.job:HELD_BY_LEASE", "inbox.engine.work:LOCK_LEASED_JOBS", "inbox.models.job:JobQuerySet.held"),
    objects=("constraint inbox_locked_exactly_when_processing",),
    proofs=[
        Proof(a_frozen_worker_wakes, without=[NO_LEASE_CHECK]),
        Proof(a_worker_claims_again_what_it_gave_back, without=[OWNER_AND_ATTEMPT]),
        Proof(a_late_verb_under_a_lost_lease, without=[NO_LEASE_CHECK]),
    ],
)
