"""Row 1, job claiming: eight sessions claim the same due jobs.

A … H   pick due jobs, and lock them         | each is held until all have picked
A … H   mark what they picked, and commit

Second race: B claims while A, which has picked, is held. Third: A claims while the statistics of the table say that
nothing is due.
"""

from collections import Counter
from functools import partial

from django.db import connection

from inbox.engine.claim import Claim, claim
from inbox.models import InboxJob
from verification.proof.stage import Stage
from verification.protections.claiming import CLAIM_LOCKS, CLAIM_SKIPS, PICKS_BEFORE_IT_MARKS
from verification.row import Proof, Row
from verification.scenes import SOURCE, end_jobs, make_jobs

LIMIT = 5
# So many rows leave the table with many pages and few rows, which is what misleads the planner.
PAST_JOBS = 500


def eight_sessions_claim(stage: Stage) -> list[str]:
    """No job is in two claims, and no claim takes more than its limit."""
    make_jobs(8 * LIMIT)
    with stage.hold("inbox.engine.claim:_mark"):
        results = stage.at_once({name: partial(claim, SOURCE, worker_id=name, limit=LIMIT) for name in "ABCDEFGH"})
    claims: list[Claim] = [result.get() for result in results.values()]
    owners = Counter(inbox_id for one in claims for inbox_id in one.all_inbox_ids)
    broken = [f"job {inbox_id} is in {times} claims" for inbox_id, times in owners.items() if times > 1]
    broken += [f"a claim of at most {LIMIT} took {len(one)}" for one in claims if len(one) > LIMIT]
    end_jobs()
    return broken


def a_claim_comes_while_another_is_made(stage: Stage) -> list[str]:
    """It waits for nobody, and takes other jobs."""
    make_jobs(2 * LIMIT)
    with stage.hold("inbox.engine.claim:_mark", only=("A",)):
        stage.start("A", partial(claim, SOURCE, worker_id="A", limit=LIMIT))
        stage.start("B", partial(claim, SOURCE, worker_id="B", limit=LIMIT))
        broken = ["B waits for the claim of A"] if stage.is_waiting("B") else []
        stage.go("A")
    sizes = [len(stage.end(name).get()) for name in "AB"]
    if sizes != [LIMIT, LIMIT]:
        broken.append(f"of {2 * LIMIT} due jobs, two claims of {LIMIT} took {sizes}")
    end_jobs()
    return broken


def a_claim_with_stale_statistics(stage: Stage) -> list[str]:
    """It marks no more than its limit, however the planner reads the table."""
    make_jobs(PAST_JOBS)
    end_jobs()
    make_jobs(1)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE integration_inbox")
    make_jobs(8 * LIMIT)
    claimed: Claim = stage.do("A", partial(claim, SOURCE, worker_id="A", limit=LIMIT))
    marked = InboxJob.objects.filter(source=SOURCE.name, lease_id=claimed.lease_id).count()
    end_jobs()
    return [f"a claim of at most {LIMIT} marked {marked}"] if marked > LIMIT else []


ROW = Row(
    key="claiming",
    number="1",
    title="Job claiming",
    promise="Two claims never share a job or wait for each other, and a claim takes no more than its limit.",
    mechanism="SELECT … FOR UPDATE SKIP LOCKED picks the keys; an UPDATE marks exactly those.",
    code=("inbox.engine.claim:_due", "inbox.engine.claim:MARK_CLAIMED"),
    objects=("index inbox_due", "constraint inbox_locked_exactly_when_processing"),
    proofs=[
        Proof(eight_sessions_claim, without=[CLAIM_LOCKS]),
        Proof(a_claim_comes_while_another_is_made, without=[CLAIM_SKIPS]),
        Proof(a_claim_with_stale_statistics, without=[PICKS_BEFORE_IT_MARKS], rounds=3),
    ],
)
