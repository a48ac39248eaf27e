"""Every worker is a reclaimer too: it looks for lost workers each second, and for stale claims now and then.

On the way it sees whether the database's clock has jumped, and puts right what that leaves (clock.py).
"""

import time
from collections.abc import Callable
from functools import partial

from django.conf import settings

from inbox.engine.reclaim import reclaim_all_stale
from inbox.job_counts import JobCounts
from inbox.worker.clock import ClockWatch, make_sweeps_due, move_times
from inbox.worker.liveness import find_gone, reclaim_from_gone
from inbox.worker.timer import Timer

FIND_GONE_EVERY_S = 1.0


class Reclaimer:
    """Reclaims at most `batch_size` jobs per transaction. Settings: INBOX_STALE_AFTER, INBOX_MAX_ATTEMPTS.

    Calls `on_jump` with the seconds by which the database's clock has jumped ahead, or back, below 0.
    """

    def __init__(self, batch_size: int, on_jump: Callable[[float], None] = lambda s: None) -> None:
        self.batch_size = batch_size
        self._on_jump = on_jump
        self.gone = Timer(FIND_GONE_EVERY_S)
        self.stale = Timer(settings.INBOX_STALE_AFTER / 4)
        self._clock = ClockWatch()
        self._has_looked = False

    def reclaim_due(self, own_id: int | None, counts: JobCounts) -> bool:
        """Reclaim as far as it is due; True if that brought jobs.

        `own_id` is this worker's row of inbox_worker, which is noted as alive, with what it did so far.
        """
        limits = {"max_attempts": settings.INBOX_MAX_ATTEMPTS, "batch_size": self.batch_size}
        reclaimed = False
        if self.gone.is_due():
            gone = find_gone(own_id, counts, tell_time=partial(self._clock.tell, time.monotonic()))
            reclaimed = bool(gone and reclaim_from_gone(gone, **limits))
            reclaimed = self._follow_clock() or reclaimed
            self.gone.restart()
        if self.stale.is_due():
            reclaimed = bool(reclaim_all_stale(stale_after_s=settings.INBOX_STALE_AFTER, **limits)) or reclaimed
            self.stale.restart(settings.INBOX_STALE_AFTER / 4)
        return reclaimed

    def _follow_clock(self) -> bool:
        """Put right what a jump of the database's clock leaves; True if that made jobs due."""
        if abs(self._clock.jumped_s) > settings.INBOX_STALE_AFTER / 4:
            # Claims look older than they are until those who are at them have renewed them.
            self.stale.restart(settings.INBOX_STALE_AFTER / 2)
        if self._clock.has_jumped:
            make_sweeps_due()
            self._on_jump(self._clock.jumped_s)
        if self._has_looked and not self._clock.has_jumped:
            return False
        count, self._has_looked = move_times(batch_size=self.batch_size)
        return bool(count)
