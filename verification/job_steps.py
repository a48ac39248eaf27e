"""Steps that sessions take in the races of jobs, and what is left of a job afterwards."""

from collections.abc import Sequence
from functools import partial

from django.db import IntegrityError, connection

from inbox.engine.claim import Claim, claim
from inbox.engine.work import work
from inbox.job_counts import NO_JOBS, JobCounts
from inbox.models import InboxJob
from inbox.outcomes import Outcome
from inbox.registry import LockedJob
from inbox.statuses import Status
from verification.proof.session import Result
from verification.proof.stage import Stage
from verification.scenes import SOURCE, make_claims_old, make_jobs

# As one types it into psql: the columns that belong to the status, and no guard.
UPDATE_BY_HAND = """
UPDATE integration_inbox
   SET status = %(status)s,
       locked_by = CASE %(status)s WHEN 'PROCESSING' THEN 'psql' END,
       locked_at = CASE %(status)s WHEN 'PROCESSING' THEN now() END,
       lease_id = CASE %(status)s WHEN 'PROCESSING' THEN gen_random_uuid() END
 WHERE inbox_id = %(inbox_id)s
"""


def refusals(*results: Result) -> list[str]:
    """What steps said that the database refused because of a constraint or a trigger. Raises any other error."""
    errors = [result.error for result in results if result.error]
    for error in errors:
        if not isinstance(error, IntegrityError):
            raise error
    return [str(error).splitlines()[0] for error in errors]


def wrong_sum(*results: Result, **expected: int) -> list[str]:
    """What the sessions made of the jobs, if that is not as `expected`, or what only the trigger refused them."""
    if broken := refusals(*results):
        return broken
    counts = sum((result.get() for result in results), start=NO_JOBS)
    return [] if counts == JobCounts(**expected) else [f"the jobs ended as {counts.shown()}, and not as {expected}"]


def old_claim(stage: Stage, number: int = 1) -> Claim:
    """A's claim of new jobs, which has become old."""
    make_jobs(number)
    claimed: Claim = stage.do("A", partial(claim, SOURCE, worker_id="A", limit=number))
    make_claims_old()
    return claimed


def claim_and_work(worker: str, limit: int = 1) -> JobCounts:
    """What a worker does between two polls."""
    return work(claim(SOURCE, worker_id=worker, limit=limit))


def the_job() -> InboxJob:
    """The only job of this round. Raises DoesNotExist or MultipleObjectsReturned."""
    return InboxJob.objects.get(source=SOURCE.name)


def fails(jobs: Sequence[LockedJob]) -> list[Outcome]:
    """A handler that raises."""
    raise RuntimeError("the handler fails")


def is_moved_by_hand(inbox_id: int, status: Status) -> bool:
    """Try to move the job to `status` at psql; False if the database refuses."""
    with connection.cursor() as cursor:
        try:
            cursor.execute(UPDATE_BY_HAND, {"status": status, "inbox_id": inbox_id})
        except IntegrityError:
            return False
    return True


def new_job_in(status: Status) -> int:
    """A new job that came to `status` in an allowed way; returns its key."""
    make_jobs(1)
    inbox_id: int = InboxJob.objects.filter(source=SOURCE.name).latest("inbox_id").pk
    if status in (Status.DONE, Status.FAILED, Status.WAITING):
        is_moved_by_hand(inbox_id, Status.PROCESSING)
    if status != Status.NEW:
        is_moved_by_hand(inbox_id, status)
    return inbox_id
