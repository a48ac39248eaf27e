"""The handler of intake messages: of each case the newest message counts, in whatever order they come."""

from collections.abc import Sequence

from inbox.engine.wake import wake
from inbox.outcomes import Outcome, done, ignored
from inbox.registry import LockedJob
from packets.intake.apply import NewIntake, create_missing, update_older
from packets.intake.parse import parse_intake
from packets.messages import read_each
from packets.order import order_key


def handle_intake(jobs: Sequence[LockedJob]) -> list[Outcome]:
    """Create or update the packets of a batch of intake messages."""
    intakes, outcomes = read_each(jobs, parse_intake)
    newest, others = _split([(job, intakes[job.inbox_id]) for job in jobs if job.inbox_id in intakes])
    created = create_missing(newest)
    wake(created, why="the packet has come")
    reasons = update_older([item for item in newest if item[0].decision_tracking_id not in created])
    # Each case has its newest message by now, so these are ignored, with a line in the packet's history.
    reasons |= update_older(others)
    for inbox_id in intakes:
        reason = reasons.get(inbox_id)
        outcomes[inbox_id] = ignored(reason) if reason else done()
    return [outcomes[job.inbox_id] for job in jobs]


def _split(items: Sequence[NewIntake]) -> tuple[list[NewIntake], list[NewIntake]]:
    """The newest message of each case, and the others."""
    newest: dict[object, NewIntake] = {}
    others: list[NewIntake] = []
    for item in sorted(items, key=lambda item: order_key(item[0].source_created_at, item[0].message_id)):
        case = item[0].decision_tracking_id
        if case in newest:
            others.append(newest[case])
        newest[case] = item
    return list(newest.values()), others
