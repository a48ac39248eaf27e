"""Snapshot: all that the front page and /metrics show, from one look, so that they never tell two stories."""

from dataclasses import dataclass

from inbox.monitoring.diagnosis import Stall, find_stalls
from inbox.monitoring.history import History, take_history
from inbox.monitoring.snapshot import Overview, take_overview

# Half of what inbox_status reads, and a fifth: a page is asked for every few seconds, by everyone who watches.
NEWEST = 50_000
NEWEST_OF_A_PAGE = 20_000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the inbox holds, whether it stands still, and what has happened lately."""

    seen: Overview
    stalls: list[Stall]
    history: History

    @property
    def is_busy(self) -> bool:
        """Something is being worked on, or could be."""
        return self.seen.due > 0 or self.seen.jobs["PROCESSING"] > 0


def take_snapshot(*, is_bounded: bool = False) -> Snapshot:
    """Look at everything; reads no more than the newest 50,000 jobs and the open ones.

    `is_bounded` is for a page: it reads fewer, of the open ones too, and counts no kinds of error, which no page shows.
    """
    seen = take_overview(NEWEST_OF_A_PAGE if is_bounded else NEWEST, is_bounded=is_bounded)
    return Snapshot(seen, find_stalls(seen), take_history(seen.ended.since, with_kinds=not is_bounded))
