"""The handler of intake messages: of each case the newest message counts, in whatever order they come."""

from collections.abc import Sequence
from datetime import datetime

from inbox.outcomes import Outcome, done, ignored
from inbox.registry import LockedJob
from packets.intake.apply import create_missing, update_older
from packets.intake.parse import Intake, parse_intake
from packets.messages import read_each
from packets.order import order_key

OLDER = "a newer intake of the same case has been applied"


def handle_intake(jobs: Sequence[LockedJob]) -> list[Outcome]:
    """Create or update the packets of a batch of intake messages."""
    intakes, outcomes = read_each(jobs, parse_intake)
    newest: dict[object, LockedJob] = {}
    for job in jobs:
        if job.inbox_id not in intakes:
            continue
        case = job.decision_tracking_id
        rival = newest.get(case)
        if rival and _key(rival) > _key(job):
            outcomes[job.inbox_id] = ignored(OLDER)
            continue
        if rival:
            outcomes[rival.inbox_id] = ignored(OLDER)
        newest[case] = job
    to_apply: list[tuple[LockedJob, Intake]] = [(job, intakes[job.inbox_id]) for job in newest.values()]
    created = create_missing(to_apply)
    existing = [(job, intake) for job, intake in to_apply if job.decision_tracking_id not in created]
    reasons = update_older(existing) if existing else {}
    for job, _ in to_apply:
        reason = reasons.get(job.inbox_id)
        outcomes[job.inbox_id] = ignored(reason) if reason else done()
    return [outcomes[job.inbox_id] for job in jobs]


def _key(job: LockedJob) -> tuple[datetime, int]:
    return order_key(job.source_created_at, job.message_id)
