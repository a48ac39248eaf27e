"""Row R1, only the owner of a claim may finish it: a worker freezes, and wakes when its job has another owner.

A   has claimed the job, some time ago        | is held before it locks what it holds
R   reclaims it, as the claim is old
B   claims it                                 | is held there too
A   goes on, finds nothing under its lease, and leaves no effect
B   goes on, and finishes

The second race is the same within one worker, whose old session hangs: the new one gives back and claims again, so
name and attempt number of both claims are equal. In the third, A wakes in another verb than its
work, and in the fourth after it has finished by itself.
"""

from functools import partial

from inbox.engine.claim import claim
from inbox.engine.give_back import give_back
from inbox.engine.work import work, work_on
from verification.job_steps import LATE_VERBS, claim_and_work, fails, old_claim, refusals, the_job, wake_and_finish
from verification.proof.stage import Stage
from verification.protections.lease import HOLDS_WHAT_IS_PROCESSING, NO_LEASE_CHECK, OWNER_AND_ATTEMPT
from verification.row import Proof, Row
from verification.scenes import SOURCE, end_jobs, reclaim_old


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


def a_late_verb_after_its_own_finish(stage: Stage) -> list[str]:
    """A has finished, and the answer to its COMMIT was lost: what it then gives back and reclaims stays FAILED."""
    broken = []
    for name, verb in LATE_VERBS.items():
        old = old_claim(stage)
        stage.do("A", partial(work_on, old, fails, old.all_inbox_ids))
        stage.start("A", partial(verb, old.lease_id, old.all_inbox_ids))
        result, job = stage.end("A"), the_job()
        if refusals(result) or result.get() or job.status != "FAILED":
            broken.append(f"A could {name} job {job.pk}, which it had finished; it is {job.status}")
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
        Proof(a_late_verb_after_its_own_finish, without=[HOLDS_WHAT_IS_PROCESSING]),
    ],
)
