"""Steps that sessions take in the races of jobs, and what is left of a job afterwards."""

from collections.abc import Callable, Sequence
from functools import partial

from django.db import IntegrityError, connection

from inbox.engine.claim import Claim, claim
from inbox.engine.give_back import give_back
from inbox.engine.heartbeat import renew_claims
from inbox.engine.hold_up import hold_up
from inbox.engine.reclaim import reclaim_own
from inbox.engine.work import work
from inbox.job_counts import NO_JOBS, JobCounts
from inbox.models import InboxJob
from inbox.outcomes import Outcome
from inbox.registry import LockedJob
from inbox.statuses import Status
from verification.proof.session import Result
from verification.proof.stage import Stage
from verification.scenes import SOURCE, end_jobs, make_claims_old, make_jobs, witnesses

# As one types it into psql: the columns that belong to the status, and no guard.
UPDATE_BY_HAND = """
UPDATE integration_inbox
   SET status = %(status)s,
       locked_by = CASE %(status)s WHEN 'PROCESSING' THEN 'psql' END,
       locked_at = CASE %(status)s WHEN 'PROCESSING' THEN now() END,
       lease_id = CASE %(status)s WHEN 'PROCESSING' THEN gen_random_uuid() END
 WHERE inbox_id = %(inbox_id)s
"""

# The steps of a worker on its claim besides the work.
LATE_VERBS: dict[str, Callable[..., object]] = {
    "give back": give_back,
    "hold up": partial(hold_up, why="late", pause_s=0, alone=()),
    "renew": partial(renew_claims, presence_id=None),
    "reclaim": reclaim_own,
}


def refusals(*results: Result) -> list[str]:
    """The errors of steps that a constraint or a trigger refused. Raises any other error."""
    errors = [result.error for result in results if result.error]
    for error in errors:
        if not isinstance(error, IntegrityError):
            raise error
    return [str(error).splitlines()[0] for error in errors]


def wrong_sum(*results: Result, **expected: int) -> list[str]:
    """Errors of steps that a constraint or a trigger refused; else the sum of the results, unless it is `expected`."""
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
    """The work of a worker between two polls."""
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
