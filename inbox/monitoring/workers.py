"""Who works: the worker processes that run, and how many jobs each holds."""

from collections import Counter
from dataclasses import dataclass, field

from django.db.models import Count, Min

from inbox.models import InboxJob, InboxWorker
from inbox.monitoring.age import Age
from inbox.statuses import Status
from inbox.worker.liveness import list_gone


@dataclass(slots=True)
class Owner:
    """A worker process on the roll. `is_gone`: it gives no sign of life, and nobody has struck it off yet."""

    id: int
    worker_id: str
    command: str
    host: str
    pid: int
    seen_s: float
    is_gone: bool
    holds: int = 0


@dataclass(slots=True)
class Owners:
    """All owners. `others` holds jobs under names that are not on the roll: gone, or never registered."""

    running: list[Owner] = field(default_factory=list)
    stopped: int = 0
    gone: int = 0
    others: dict[str, int] = field(default_factory=dict)

    def alive(self, command: str | None = None) -> int:
        """How many processes show signs of life: of this command, or of any."""
        return sum(command in (None, owner.command) and not owner.is_gone for owner in self.running)


def find_owners() -> Owners:
    """All of them, with what they hold."""
    ended = dict(
        InboxWorker.objects.exclude(state=InboxWorker.State.RUNNING)
        .values_list("state")
        .annotate(count=Count("*"))
        .order_by()
    )
    running = _running()
    others = _give_holdings(running)
    return Owners(running, ended.get("STOPPED", 0), ended.get("GONE", 0), others)


def _running() -> list[Owner]:
    # Called by nobody, the roll changes nothing; its verdict is the one by which jobs are taken back.
    gone = set(list_gone())
    rows = (
        InboxWorker.objects.filter(state=InboxWorker.State.RUNNING)
        .order_by("command", "worker_id", "id")
        .values_list("id", "worker_id", "command", "host", "pid", Age("last_seen_at"))
    )
    return [
        Owner(number, worker_id, command, host, pid, seen_s, is_gone=number in gone)
        for number, worker_id, command, host, pid, seen_s in rows
    ]


def _give_holdings(running: list[Owner]) -> dict[str, int]:
    """Note at each owner how many jobs it holds; returns the names and counts of all others."""
    by_id = {owner.id: owner for owner in running}
    by_name = {owner.worker_id: owner for owner in running}
    others: Counter[str] = Counter()
    holdings = (
        InboxJob.objects.filter(status=Status.PROCESSING)
        .values_list("presence_id", "locked_by")
        .annotate(count=Count("*"), since=Min("inbox_id"))
        .order_by("since")
    )
    for presence_id, name, count, _ in holdings:
        owner = by_name.get(name) if presence_id is None else by_id.get(presence_id)
        if owner is None:
            others[name] += count
        else:
            owner.holds += count
    return dict(others)
