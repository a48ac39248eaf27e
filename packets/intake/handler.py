"""Handles intake messages: the newest message of each case counts, in whatever order they arrive."""

from collections.abc import Iterable, Sequence

from inbox.api import LockedJob, Outcome, done, ignored, wake
from packets.intake.apply import NewIntake, create_missing, update_older
from packets.intake.parse import parse_intake
from packets.messages import read_each
from packets.order import order_key


def handle_intake(jobs: Sequence[LockedJob]) -> list[Outcome]:
    """Create or update the packets of a batch of intake messages."""
    intakes, outcomes = read_each(jobs, parse_intake)
    newest, others = _split((job, intakes[job.inbox_id]) for job in jobs if job.inbox_id in intakes)
    created = create_missing(newest)
    wake(created, why="the packet was created")
    reasons = update_older([item for item in newest if item[0].decision_tracking_id not in created])
    # The newest message of each case is applied by now, so these are ignored, with a line in the packet's history.
    reasons |= update_older(others)
    for inbox_id in intakes:
        outcomes[inbox_id] = ignored(reasons[inbox_id]) if inbox_id in reasons else done()
    return [outcomes[job.inbox_id] for job in jobs]


def _split(intakes: Iterable[NewIntake]) -> tuple[list[NewIntake], list[NewIntake]]:
    """The newest message of each case, and the others."""
    newest: dict[object, NewIntake] = {}
    others: list[NewIntake] = []
    for job, intake in sorted(intakes, key=lambda item: order_key(item[0].source_created_at, item[0].message_id)):
        if older := newest.get(job.decision_tracking_id):
            others.append(older)
        newest[job.decision_tracking_id] = (job, intake)
    return list(newest.values()), others
