"""Every worker is a reclaimer too: it looks for lost workers each second, and for stale claims now and then."""

from django.conf import settings

from inbox.engine.reclaim import reclaim_all_stale
from inbox.job_counts import JobCounts
from inbox.worker.liveness import find_gone, reclaim_from_gone
from inbox.worker.timer import Timer

FIND_GONE_EVERY_S = 1.0


class Reclaimer:
    """Reclaims at most `batch_size` jobs per transaction. Settings: INBOX_STALE_AFTER, INBOX_MAX_ATTEMPTS."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.gone = Timer(FIND_GONE_EVERY_S)
        self.stale = Timer(settings.INBOX_STALE_AFTER / 4)

    def reclaim_due(self, own_id: int | None, counts: JobCounts) -> bool:
        """Reclaim as far as it is due; True if that brought jobs.

        `own_id` is this worker's row of inbox_worker, which is noted as alive, with what it did so far.
        """
        limits = {"max_attempts": settings.INBOX_MAX_ATTEMPTS, "batch_size": self.batch_size}
        reclaimed = False
        if self.gone.is_due():
            gone = find_gone(own_id, counts)
            reclaimed = bool(gone and reclaim_from_gone(gone, **limits))
            self.gone.restart()
        if self.stale.is_due():
            reclaimed = bool(reclaim_all_stale(stale_after_s=settings.INBOX_STALE_AFTER, **limits)) or reclaimed
            self.stale.restart()
        return reclaimed
