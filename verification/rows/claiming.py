"""Row 1, job claiming: eight sessions claim the same due jobs.

A … H   pick due jobs, and lock them         | each is held until all have picked
A … H   mark what they picked, and commit
"""

from collections import Counter
from functools import partial

from inbox.engine.claim import claim
from verification.proof.stage import Stage
from verification.protections.claiming import SKIPS_LOCKED_JOBS
from verification.row import Proof, Row
from verification.scenes import SOURCE, end_jobs, make_jobs

LIMIT = 5


def eight_sessions_claim(stage: Stage) -> list[str]:
    """No job is in two claims, and no claim takes more than its limit."""
    make_jobs(8 * LIMIT)
    with stage.hold("inbox.engine.claim:_mark"):
        results = stage.at_once({name: partial(claim, SOURCE, worker_id=name, limit=LIMIT) for name in "ABCDEFGH"})
    claims = [result.value for result in results.values() if result.value]
    owners = Counter(inbox_id for one in claims for inbox_id in one.all_inbox_ids)
    broken = [f"job {inbox_id} is in {times} claims" for inbox_id, times in owners.items() if times > 1]
    broken += [f"a claim of at most {LIMIT} took {len(one)}" for one in claims if len(one) > LIMIT]
    end_jobs()
    return broken


ROW = Row(
    key="claiming",
    number="1",
    title="Job claiming",
    promise="Two claims never share a job, and a claim takes no more than its limit.",
    mechanism="SELECT … FOR UPDATE SKIP LOCKED picks the keys; an UPDATE marks exactly those.",
    code=("inbox.engine.claim:_due", "inbox.engine.claim:MARK_CLAIMED"),
    objects=("index inbox_due", "constraint inbox_locked_exactly_when_processing"),
    proofs=[Proof(eight_sessions_claim, without=[SKIPS_LOCKED_JOBS])],
)
