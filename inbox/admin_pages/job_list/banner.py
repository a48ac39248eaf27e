"""The head of the job list: does the inbox run, is it idle or stalled, why, what to type; and the jobs by status.

Looked at anew every KEPT_S seconds per process; a look reads a bounded number of rows, however many jobs there are.
"""

import time
from dataclasses import dataclass

from inbox.db import bounded_count
from inbox.monitoring.age import finite, in_words
from inbox.monitoring.diagnosis import Stall, find_stalls, pauses, state
from inbox.monitoring.snapshot import Snapshot, take_page_snapshot
from inbox.statuses import Status

KEPT_S = 5.0


@dataclass(frozen=True, slots=True)
class Count:
    """How many jobs have a status, as text, since it may be more than were counted; the age of the oldest, in words.

    Of NEW it is how long it is due, of PROCESSING since the claim, of the others since it was taken in.
    """

    status: str
    label: str
    count: str
    oldest: str | None
    is_bad: bool


@dataclass(frozen=True, slots=True)
class Banner:
    """`state` is Running, Idle or Stalled."""

    at: str
    state: str
    says: str
    stalls: list[Stall]
    pauses: list[str]
    counts: list[Count]


_kept: tuple[float, Banner] | None = None


def banner() -> Banner:
    """The banner of now, or of at most KEPT_S seconds ago."""
    global _kept
    if _kept is None or time.monotonic() - _kept[0] > KEPT_S:
        _kept = (time.monotonic(), take_banner())
    return _kept[1]


def forget() -> None:
    """The next look is a new one, since something was just done."""
    global _kept
    _kept = None


def take_banner() -> Banner:
    """Look now."""
    seen = take_page_snapshot(bounded_count.LIMIT)
    stalls = find_stalls(seen)
    told = {stall.why for stall in stalls}
    said = [text for text in pauses(seen) if text not in told]
    now = state(seen, stalls)
    return Banner(seen.at, now, _says(seen, now), stalls, said, _counts(seen))


def _says(seen: Snapshot, state: str) -> str:
    alive = seen.workers.alive()
    workers = "1 worker is alive" if alive == 1 else f"{alive} workers are alive" if alive else "no worker is alive"
    match state:
        case "Stalled":
            return workers
        case "Running":
            return (
                f"{seen.due:,}{'+' * bool(seen.cut_sources)} due, {seen.jobs[Status.PROCESSING]:,} in hand; {workers}"
            )
    return f"nothing is due; {workers}"


def _counts(seen: Snapshot) -> list[Count]:
    oldest = _oldest(seen)
    counts = [
        Count(str(status), status.value, _text(seen, status), oldest.get(status), is_bad=False)
        for status in (Status.NEW, Status.PROCESSING, Status.FAILED, Status.WAITING)
    ]
    assert seen.by_status  # noqa: S101 for mypy: it was taken for a page
    dead, has_more = seen.by_status.counts[Status.DEAD], Status.DEAD in seen.by_status.at_least
    counts.append(Count("DEAD", "DEAD", f"{dead:,}{'+' * has_more}", oldest.get(Status.DEAD), is_bad=dead > 0))
    done = f"{seen.ended.counts[Status.DONE]:,}" + (
        f" of the newest {bounded_count.LIMIT:,}" if seen.ended.is_partial else ""
    )
    return [*counts, Count("DONE", "DONE", done, None, is_bad=False)]


def _text(seen: Snapshot, status: Status) -> str:
    return f"{seen.jobs[status]:,}{'+' * (status in seen.at_least)}"


def _oldest(seen: Snapshot) -> dict[str, str]:
    """How long the oldest job of each status is due or claimed; of what is not due, since it was taken in."""
    ages: dict[str, float] = {}
    for group in seen.open:
        if group.oldest_s is not None:
            ages[group.status] = max(ages.get(group.status, 0.0), group.oldest_s)
    for status, age_s in seen.by_status.oldest_s.items() if seen.by_status else ():
        if finite(age_s) is not None:
            ages[status] = age_s or 0.0
    return {status: in_words(age_s) for status, age_s in ages.items()}
