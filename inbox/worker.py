"""The worker: ingest, claim, work, until it is told to stop.

Single-threaded; more speed is more processes. What can go wrong: the connection breaks (it gives back what it still
holds and goes on with a new one), or another process holds the watermark (it works on what is there already).
Settings: INBOX_BATCH_SIZE, INBOX_POLL_INTERVAL, INBOX_LOOKBACK, INBOX_RECONCILE_EVERY, INBOX_STALE_AFTER.
"""

import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress

from django.db import Error, OperationalError, connection

from inbox import conf
from inbox.claim import Claim, claim
from inbox.database import is_connection_lost
from inbox.ingest import Floor, ingest
from inbox.reclaim import reclaim_all, reclaim_own
from inbox.registry import Source
from inbox.release import release
from inbox.stop import Stop
from inbox.storable import error_text
from inbox.work import Counts, work

logger = logging.getLogger("inbox.worker")

# Late commits are looked for this often; what is later than a few seconds is rare, so the wide look may be too.
LOOKBACK_EVERY_S = 10.0
RECONNECT_PAUSE_S = (0.1, 1.0)


class Chore:
    """Something to do at once, and then every so often."""

    def __init__(self, every_s: float) -> None:
        self.every_s = every_s
        self._next = 0.0

    def is_due(self) -> bool:
        return time.monotonic() >= self._next

    def done(self) -> None:
        self._next = time.monotonic() + self.every_s


class Worker:
    """Serves `sources` under the name `worker_id`. `on_progress` is called with the counts of each batch."""

    def __init__(
        self,
        *,
        sources: Sequence[Source],
        worker_id: str,
        batch_size: int,
        poll_interval_s: float,
        max_jobs: int | None = None,
        stop: Stop | None = None,
        on_progress: Callable[[Counts], None] = lambda counts: None,
    ) -> None:
        self.sources = sources
        self.worker_id = worker_id
        self.batch_size = batch_size
        self.max_jobs = max_jobs
        self.stop = stop or Stop()
        self.on_progress = on_progress
        self.counts: Counts = Counter()
        self.claimed = 0
        self.poll = Chore(poll_interval_s)
        self.lookback = Chore(LOOKBACK_EVERY_S)
        # Spread, so that workers that started together do not always reconcile in the same second.
        self.reconcile = Chore(conf.reconcile_every_s() * random.uniform(0.5, 1))  # noqa: S311
        self.reclaim = Chore(conf.stale_after_s() / 4)
        self._has_capacity = True
        self._held: Claim | None = None
        self._has_lost_connection = False

    def run(self) -> Counts:
        """Work until asked to stop, or until `max_jobs` are done. Raises StopNow at the second signal."""
        self._until(lambda moved: False)
        return self.counts

    def drain(self) -> Counts:
        """Work until ingest brings nothing and nothing is due. Raises StopNow at the second signal."""
        self._until(lambda moved: not moved)
        return self.counts

    def once(self) -> Counts:
        """One ingest and one claim of each source."""
        self._until(lambda moved: True)
        return self.counts

    def _until(self, is_enough: Callable[[bool], bool]) -> None:
        try:
            while not self.stop.is_asked and not self._has_all_it_may():
                moved = self._tick_or_recover()
                if moved is None:
                    continue
                if is_enough(moved):
                    break
                if not moved:
                    self.stop.wait(self.poll.every_s)
        finally:
            # Held only after StopNow or a lost connection; if this fails too, the jobs come back by age.
            with suppress(Error):
                self._give_back_what_is_held()

    def _has_all_it_may(self) -> bool:
        return self.max_jobs is not None and self.claimed >= self.max_jobs

    def _tick_or_recover(self) -> bool | None:
        """One tick; None if the database refused it, by a lost connection or a timeout. Bugs are raised."""
        try:
            self._give_back_what_is_held()
            return self.tick()
        except Error as error:
            if is_connection_lost(error):
                logger.warning("connection lost (%s); connecting again", type(error).__name__)
                connection.close()
                self._has_lost_connection = self._held is not None
            elif not isinstance(error, OperationalError):
                raise
            else:
                logger.warning("the database refused: %s; going on", error_text(error))
            self.stop.wait(random.uniform(*RECONNECT_PAUSE_S))  # noqa: S311 not a secret
            return None

    def tick(self) -> bool:
        """Do the chores that are due, then one claim of each source. True means: go on at once, there may be more."""
        moved = False
        if self.reclaim.is_due():
            reclaim_all(
                stale_after_s=conf.stale_after_s(), max_attempts=conf.max_attempts(), batch_size=self.batch_size
            )
            self.reclaim.done()
        # Full claims mean a backlog of jobs: new rows can wait for the next poll.
        has_looked = self._has_capacity or self.poll.is_due()
        if has_looked:
            moved |= self._ingest_all()
            self.poll.done()
        claimed = [self._claim_and_work(source) for source in self.sources]
        self._has_capacity = not all(count >= self.batch_size for count in claimed)
        return moved or any(claimed) or not has_looked

    def _ingest_all(self) -> bool:
        """Ingest every source, from as far back as is due; True if that brought something."""
        try:
            came = [ingest(source) for source in self.sources]
            for floor, chore in ((Floor.LOOKBACK, self.lookback), (Floor.RECONCILE, self.reconcile)):
                # Not while there is more above the watermark: a wider look would only find that.
                if chore.is_due() and not any(ingested.is_full for ingested in came):
                    found = [ingest(source, floor) for source in self.sources]
                    came += found
                    if not any(ingested.is_full for ingested in found):
                        chore.done()
            return any(ingested.count for ingested in came)
        except OperationalError as error:
            if is_connection_lost(error):
                raise
            logger.warning("no ingest this time (%s); trying again soon", type(error).__name__)
            self.stop.wait(RECONNECT_PAUSE_S[0])
            return True

    def _claim_and_work(self, source: Source) -> int:
        """Claim and work on one batch; returns how many jobs it had."""
        limit = self.batch_size if self.max_jobs is None else min(self.batch_size, self.max_jobs - self.claimed)
        if limit <= 0 or self.stop.is_asked:
            return 0
        self._held = claim(source, worker_id=self.worker_id, limit=limit)
        claimed = len(self._held)
        if claimed:
            self.claimed += claimed
            counts = work(self._held, is_stopping=lambda: self.stop.is_asked)
            self.counts += counts
            self.on_progress(counts)
        self._held = None
        return claimed

    def _give_back_what_is_held(self) -> None:
        """After a lost connection or StopNow: return to NEW what the last claim still holds."""
        if self._held is None:
            return
        held, self._held = self._held, None
        inbox_ids = [inbox_id for ids in held.inbox_ids.values() for inbox_id in ids]
        try:
            if self._has_lost_connection:
                given_back = sum(reclaim_own(held.lease_id, inbox_ids).values())
            else:
                given_back = release(held.lease_id, inbox_ids)
        except BaseException:
            self._held = held
            raise
        self._has_lost_connection = False
        self.claimed -= given_back
        self.counts["GIVEN_BACK"] += given_back
        logger.info("gave back %d jobs", given_back)
