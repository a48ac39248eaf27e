"""Registered worker processes: which are running, and how many jobs each has claimed."""

from collections import Counter
from dataclasses import dataclass

from django.db.models import Count, Min

from inbox.models import InboxJob, InboxWorker
from inbox.monitoring.age import Age
from inbox.statuses import Status
from inbox.worker.liveness import list_gone


@dataclass(frozen=True, slots=True)
class RunningWorker:
    """A process that has not ended by itself. `is_gone`: it is lost, and no other worker has noted that yet."""

    id: int
    worker_id: str
    command: str
    host: str
    pid: int
    seen_s: float
    is_gone: bool
    holds: int


@dataclass(frozen=True, slots=True)
class Workers:
    """All registered processes. `others` counts jobs that are claimed under names of no running one."""

    running: list[RunningWorker]
    stopped: int
    gone: int
    others: dict[str, int]

    def alive(self, command: str | None = None) -> int:
        """How many processes are alive: of this command, or of any."""
        return sum(command in (None, worker.command) and not worker.is_gone for worker in self.running)


def find_workers() -> Workers:
    """All of them, with what they hold. Changes nothing; processes count as gone by the rule of reclaiming."""
    states = InboxWorker.objects.values_list("state").annotate(count=Count("*")).order_by()
    ended = dict(states.exclude(state=InboxWorker.State.RUNNING))
    rows = (
        InboxWorker.objects.filter(state=InboxWorker.State.RUNNING)
        .order_by("command", "worker_id", "id")
        .values_list("id", "worker_id", "command", "host", "pid", Age("last_seen_at"))
    )
    gone = set(list_gone())
    holds, others = _count_claimed({number: name for number, name, *_ in rows})
    running = [
        RunningWorker(number, name, command, host, pid, seen_s, is_gone=number in gone, holds=holds[number])
        for number, name, command, host, pid, seen_s in rows
    ]
    return Workers(running, ended.get("STOPPED", 0), ended.get("GONE", 0), others)


def _count_claimed(names: dict[int, str]) -> tuple[Counter[int], dict[str, int]]:
    """How many jobs each of these workers (presence id: name) has claimed; the others by the name on the claim."""
    ids = {name: number for number, name in names.items()}
    holds: Counter[int] = Counter()
    others: Counter[str] = Counter()
    claims = (
        InboxJob.objects.filter(status=Status.PROCESSING)
        .values_list("presence_id", "locked_by")
        .annotate(count=Count("*"), since=Min("inbox_id"))
        .order_by("since")
    )
    for presence_id, name, count, _ in claims:
        worker = ids.get(name) if presence_id is None else presence_id
        if worker in names:
            holds[worker] += count
        else:
            others[name] += count
    return holds, dict(others)
