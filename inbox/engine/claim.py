"""Claim: takes due jobs of one source under a new lease.

Two statements on purpose. `UPDATE … WHERE id IN (SELECT … LIMIT n FOR UPDATE SKIP LOCKED)` lets the planner run the
subquery again and again: with stale statistics, a limit of 3 claimed 50 jobs. Picking keys first can't.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID, uuid4

from django.db import connection, models, transaction

from inbox.models import InboxJob
from inbox.registry import Source

# For the claim's transaction. After an ANALYZE of a table that was just emptied, the planner expects no due job, so it
# reads and sorts them all, at every claim; the index inbox_due gives them in order.
# A claim that a server crash forgets was never made: nothing waits for the disk here (docs/adr/0004).
SET_CLAIM_PLANNER = (
    "SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off;"
    "SET LOCAL synchronous_commit = off"
)
# In SQL because the ORM takes 0.25 ms to build it, a tenth of what a message needs when it comes alone.
MARK_CLAIMED = """
UPDATE integration_inbox
   SET status = 'PROCESSING', locked_by = %(worker_id)s, locked_at = now(), lease_id = %(lease_id)s,
       presence_id = %(presence_id)s, attempt_count = attempt_count + 1, started_at = now(), updated_at = now()
 WHERE inbox_id = ANY(%(inbox_ids)s)
"""

# inbox_id, message_type, runs_alone
Picked = tuple[int, str, bool]


@dataclass(frozen=True, slots=True)
class Claim:
    """Jobs of one source under one lease.

    `inbox_ids` groups their keys by message type, in the order they were due; `is_full` means that there may be more.
    `runs_alone`: it is one job, whose last worker died.
    """

    source: Source
    lease_id: UUID
    worker_id: str
    inbox_ids: dict[str, list[int]]
    is_full: bool
    runs_alone: bool = False

    def __len__(self) -> int:
        return sum(map(len, self.inbox_ids.values()))

    @property
    def all_inbox_ids(self) -> list[int]:
        """The keys of all its jobs."""
        return [inbox_id for inbox_ids in self.inbox_ids.values() for inbox_id in inbox_ids]

    def type_of(self, inbox_id: int) -> str:
        """The message type of one of its jobs. Raises StopIteration for any other job."""
        return next(message_type for message_type, inbox_ids in self.inbox_ids.items() if inbox_id in inbox_ids)


@cache
def _due(source: str, message_types: tuple[str, ...]) -> models.QuerySet:
    """Built once, because building takes longer than the query."""
    return (
        InboxJob.objects.due(source, message_types)
        .select_for_update(skip_locked=True)
        .order_by("next_attempt_at", "inbox_id")
        .values_list("inbox_id", "message_type", "runs_alone")
    )


def claim(
    source: Source,
    *,
    worker_id: str,
    limit: int,
    presence_id: int | None = None,
    message_types: tuple[str, ...] | None = None,
) -> Claim:
    """Claim at most `limit` due jobs that this process has a handler for; the claim is empty if there are none.

    One transaction, which skips jobs that others have locked. `presence_id` is the inbox_worker.id of
    this process if others can see at once that it is gone; `message_types` are those to claim, without it all.
    """
    message_types = source.message_types if message_types is None else message_types
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(SET_CLAIM_PLANNER)
        picked = list(_due(source.name, message_types)[:limit])
        chosen = _without_neighbours(picked)
        is_full = len(picked) >= limit or len(picked) > len(chosen)
        runs_alone = bool(chosen and chosen[0][2])
        claimed = Claim(source, uuid4(), worker_id, _by_type(chosen), is_full, runs_alone)
        if claimed:
            _mark(claimed, presence_id)
    return claimed


def _without_neighbours(picked: list[Picked]) -> list[Picked]:
    """A job whose worker died may be the one that kills workers: it goes alone, so that it can hurt no neighbour."""
    if picked and picked[0][2]:
        return picked[:1]
    return [row for row in picked if not row[2]]


def _by_type(picked: list[Picked]) -> dict[str, list[int]]:
    inbox_ids: dict[str, list[int]] = {}
    for inbox_id, message_type, _ in picked:
        inbox_ids.setdefault(message_type, []).append(inbox_id)
    return inbox_ids


def _mark(claim: Claim, presence_id: int | None) -> None:
    values: dict[str, Any] = {"inbox_ids": claim.all_inbox_ids, "worker_id": claim.worker_id}
    with connection.cursor() as cursor:
        cursor.execute(MARK_CLAIMED, values | {"lease_id": claim.lease_id, "presence_id": presence_id})
