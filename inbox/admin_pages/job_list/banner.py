"""The head of the job list: is the inbox running, idle or stalled, why, what to type; and the number of jobs by status.

Each process keeps a banner for KEPT_S seconds. To take one reads a bounded number of rows, however many jobs there are.
"""

from dataclasses import dataclass

from django.core.cache import cache

from inbox.db import bounded_count
from inbox.monitoring.age import finite, in_words
from inbox.monitoring.diagnosis import Stall, find_stalls, pauses, state
from inbox.monitoring.snapshot import Snapshot, take_page_snapshot
from inbox.statuses import Status

KEPT_S = 5.0
KEY = "inbox.banner"


@dataclass(frozen=True, slots=True)
class Count:
    """How many jobs have a status, and how old the oldest is, both as text.

    The age is the time since a NEW job became due, since a PROCESSING job was claimed, since others were ingested.
    """

    status: str
    count: str
    oldest: str | None
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class Banner:
    """`state` is Running, Idle or Stalled."""

    at: str
    state: str
    summary: str
    stalls: list[Stall]
    pauses: list[str]
    counts: list[Count]


def banner() -> Banner:
    """A banner that is at most KEPT_S seconds old."""
    return cache.get_or_set(KEY, take_banner, KEPT_S)  # type: ignore[return-value]


def forget() -> None:
    """Have the next call of `banner` take a new one, as something was just changed."""
    cache.delete(KEY)


def take_banner() -> Banner:
    """A banner of this moment."""
    seen = take_page_snapshot(bounded_count.LIMIT)
    stalls = find_stalls(seen)
    # A pause that stalls the inbox is already among the stalls.
    told = {stall.why for stall in stalls}
    paused = [text for text in pauses(seen) if text not in told]
    now = state(seen, stalls)
    return Banner(seen.at, now, _summary(seen, now), stalls, paused, _counts(seen))


def _summary(seen: Snapshot, state: str) -> str:
    count = seen.workers.alive()
    workers = "1 worker is running" if count == 1 else f"{count or 'no'} workers are running"
    match state:
        case "Stalled":
            return workers
        case "Running":
            due = f"{seen.due:,}{'+' * bool(seen.cut_sources)}"
            return f"{due} due, {seen.jobs[Status.PROCESSING]:,} claimed; {workers}"
    return f"nothing is due; {workers}"


def _counts(seen: Snapshot) -> list[Count]:
    assert seen.by_status  # noqa: S101 for mypy: a snapshot for a page has it
    dead = seen.by_status.counts[Status.DEAD]
    counts = {
        status: f"{seen.jobs[status]:,}{'+' * (status in seen.at_least)}"
        for status in (Status.NEW, Status.PROCESSING, Status.FAILED, Status.WAITING)
    }
    counts[Status.DEAD] = f"{dead:,}{'+' * (Status.DEAD in seen.by_status.at_least)}"
    counts[Status.DONE] = f"{seen.ended.counts[Status.DONE]:,}"
    if seen.ended.is_partial:
        counts[Status.DONE] += f" of the newest {bounded_count.LIMIT:,}"
    oldest = _oldest(seen)
    return [
        Count(status.value, count, oldest.get(status), is_bad=status == Status.DEAD and dead > 0)
        for status, count in counts.items()
    ]


def _oldest(seen: Snapshot) -> dict[str, str]:
    """The age of the oldest job of each status that has any."""
    ages: dict[str, float] = {}
    for group in seen.open:
        if group.oldest_s is not None:
            ages[group.status] = max(ages.get(group.status, 0.0), group.oldest_s)
    for status, age_s in seen.by_status.oldest_s.items() if seen.by_status else ():
        if finite(age_s) is not None:
            ages[status] = age_s or 0.0
    return {status: in_words(age_s) for status, age_s in ages.items()}
