"""Claim: takes due jobs of one source under a new lease.

Two statements on purpose. `UPDATE … WHERE id IN (SELECT … LIMIT n FOR UPDATE SKIP LOCKED)` lets the planner run the
subquery again and again: with stale statistics, 3 asked became 50 claimed. Picking keys first can't.
"""

from dataclasses import dataclass
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from inbox.models import InboxJob
from inbox.registry import Source
from inbox.statuses import Status

# After an ANALYZE of a table that was just emptied, the planner expects no due job, and so reads and sorts them all, at
# every claim. The index inbox_due gives them in order.
READ_IN_ORDER = "SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off"


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


def claim(source: Source, *, worker_id: str, limit: int, presence_id: int | None = None) -> Claim:
    """Claim at most `limit` due jobs that this process has a handler for; the claim is empty if there are none.

    `presence_id` is the inbox_worker.id of this process if others can see at once that it is gone.
    """
    lease_id = uuid4()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(READ_IN_ORDER)
        picked = list(
            InboxJob.objects.due(source.name, source.message_types)
            .select_for_update(skip_locked=True)
            .order_by("next_attempt_at", "inbox_id")
            .values_list("inbox_id", "message_type", "runs_alone")[:limit]
        )
        found = len(picked)
        # A job whose worker died may be the one that kills workers: it goes alone, so that it can hurt no neighbour.
        if picked and picked[0][2]:
            picked = picked[:1]
        inbox_ids: dict[str, list[int]] = {}
        for inbox_id, message_type, runs_alone in picked:
            if len(picked) == 1 or not runs_alone:
                inbox_ids.setdefault(message_type, []).append(inbox_id)
        if picked:
            InboxJob.objects.filter(inbox_id__any_of=[pk for pks in inbox_ids.values() for pk in pks]).update(
                status=Status.PROCESSING,
                locked_by=worker_id,
                locked_at=Now(),
                lease_id=lease_id,
                presence_id=presence_id,
                attempt_count=F("attempt_count") + 1,
                started_at=Now(),
                updated_at=Now(),
            )
    claimed = sum(map(len, inbox_ids.values()))
    is_full = found >= limit or found > claimed
    return Claim(source, lease_id, worker_id, inbox_ids, is_full, runs_alone=bool(picked and picked[0][2]))
