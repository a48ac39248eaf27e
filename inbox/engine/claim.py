"""Claim: takes due jobs of one source under a new lease.

Two statements on purpose. `UPDATE … WHERE id IN (SELECT … LIMIT n FOR UPDATE SKIP LOCKED)` lets the planner run the
subquery again and again: with stale statistics, 3 asked became 50 claimed. Picking keys first can't.
"""

from dataclasses import dataclass
from functools import cache
from uuid import UUID, uuid4

from django.db import connection, models, transaction

from inbox.models import InboxJob
from inbox.registry import Source

# Set for the claim's transaction. After an ANALYZE of a table that was just emptied, the planner expects no due job, so
# it reads and sorts them all, at every claim; the index inbox_due gives them in order.
# A claim that a crash of the server forgets was never made: nothing waits for the disk here (docs/adr/0004).
SET_CLAIM_PLANNER = (
    "SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off;"
    "SET LOCAL synchronous_commit = off"
)
# In SQL, as the ORM takes 0.25 ms to build it, a tenth of what a message needs when it comes alone.
MARK_CLAIMED = """
UPDATE integration_inbox
   SET status = 'PROCESSING', locked_by = %(worker_id)s, locked_at = now(), lease_id = %(lease_id)s,
       presence_id = %(presence_id)s, attempt_count = attempt_count + 1, started_at = now(), updated_at = now()
 WHERE inbox_id = ANY(%(inbox_ids)s)
"""


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


@cache
def _due(source: str, message_types: tuple[str, ...]) -> models.QuerySet:
    """Built once, as that takes longer than the query."""
    return (
        InboxJob.objects.due(source, message_types)
        .select_for_update(skip_locked=True)
        .order_by("next_attempt_at", "inbox_id")
        .values_list("inbox_id", "message_type", "runs_alone")
    )


def claim(source: Source, *, worker_id: str, limit: int, presence_id: int | None = None) -> Claim:
    """Claim at most `limit` due jobs that this process has a handler for; the claim is empty if there are none.

    `presence_id` is the inbox_worker.id of this process if others can see at once that it is gone.
    """
    lease_id = uuid4()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(SET_CLAIM_PLANNER)
        picked = list(_due(source.name, source.message_types)[:limit])
        found = len(picked)
        # A job whose worker died may be the one that kills workers: it goes alone, so that it can hurt no neighbour.
        if picked and picked[0][2]:
            picked = picked[:1]
        inbox_ids: dict[str, list[int]] = {}
        for inbox_id, message_type, runs_alone in picked:
            if len(picked) == 1 or not runs_alone:
                inbox_ids.setdefault(message_type, []).append(inbox_id)
        if picked:
            with connection.cursor() as cursor:
                cursor.execute(
                    MARK_CLAIMED,
                    {
                        "inbox_ids": [inbox_id for ids in inbox_ids.values() for inbox_id in ids],
                        "worker_id": worker_id,
                        "lease_id": lease_id,
                        "presence_id": presence_id,
                    },
                )
    claimed = sum(map(len, inbox_ids.values()))
    is_full = found >= limit or found > claimed
    return Claim(source, lease_id, worker_id, inbox_ids, is_full, runs_alone=bool(picked and picked[0][2]))
