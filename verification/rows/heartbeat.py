"""Row P4, heartbeat: a call takes longer than INBOX_STALE_AFTER; then one whose worker is frozen meanwhile.

A       claims a job, and its call begins     | no transaction is open
        the claim grows old
A       renews its claim
R       reclaims old claims                   | not this one
A       its call answers, and A writes that   | one effect

A       claims a job, and its call begins     | A is frozen: no heartbeat
        the claim grows old
R       reclaims the job
B       claims it, and its call begins
A       goes on, and renews its claim         | not that of B
A       its call answers, and A writes that   | nothing is written
B       its call answers, and B writes that   | one effect
"""

from datetime import datetime

from inbox.models import InboxJob
from verification.proof.stage import Stage
from verification.protections.outbound import ANSWERS_UNDER_ITS_LEASE, BEATS, RENEWS_ITS_OWN
from verification.row import Proof, Row
from verification.scenes import end_jobs, make_claims_old, reclaim_old, witnesses
from verification.slow_calls import slow_calls
from verification.steps import new_jobs


def a_call_takes_long(stage: Stage) -> list[str]:
    """Its job is not reclaimed, and its answer is written."""
    new_jobs(1)
    with slow_calls(stage, "A") as (a,):
        a.begin()
        make_claims_old()
        a.beat()
        stage.start("R", reclaim_old)
        broken = ["the job of a call that was on its way was reclaimed"] if stage.end("R").get() else []
        if not broken and not a.answer().done:
            broken.append("the answer of a call was not written")
    end_jobs()
    return broken


def a_frozen_worker_comes_back(stage: Stage) -> list[str]:
    """It renews no claim that is not its own, and writes no answer: the job has one effect."""
    [job] = new_jobs(1)
    broken = []
    with slow_calls(stage, "A", "B") as (a, b):
        a.begin()
        make_claims_old()
        stage.start("R", reclaim_old)
        stage.end("R").get()
        b.begin()
        claimed_at = _claimed_at(job)
        a.beat()
        if _claimed_at(job) != claimed_at:
            broken.append("a worker renewed the claim of another one")
        a.answer()
        b.answer()
    if (effects := witnesses([job])) != 1:
        broken.append(f"a job that was reclaimed had {effects} effects")
    end_jobs()
    return broken


def _claimed_at(job: int) -> datetime | None:
    return InboxJob.objects.values_list("locked_at", flat=True).get(pk=job)


ROW = Row(
    key="heartbeat",
    number="P4",
    title="Heartbeat of outbound calls",
    promise="A job whose call takes long is not reclaimed; a late answer of one that was reclaimed writes nothing.",
    mechanism="Heartbeats renew the claims that the lease still holds; an answer is written under the same lease.",
    code=("inbox.engine.heartbeat:renew_claims", "inbox.engine.outbound:write_answers"),
    objects=("index inbox_claimed",),
    proofs=[
        Proof(a_call_takes_long, without=[BEATS]),
        Proof(a_frozen_worker_comes_back, without=[RENEWS_ITS_OWN, ANSWERS_UNDER_ITS_LEASE]),
    ],
)
