"""The worker: take in, claim, work, until it is told to stop.

Single-threaded; more speed is more processes. Only outbound calls run several at once, beside the loop (calls.py). What
can go wrong: the connection breaks (it takes its own jobs back and goes on with a new one), its presence is lost (it
claims nothing until it has a new one), or another process holds the watermark (it works on what is there already).
Settings: INBOX_BATCH_SIZE, INBOX_POLL_INTERVAL, INBOX_LOOKBACK, INBOX_RECONCILE_EVERY, INBOX_STALE_AFTER.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog
from django.db import Error, OperationalError, connection

from inbox import conf
from inbox.db.errors import is_connection_lost
from inbox.db.storable import error_text
from inbox.engine.claim import Claim, claim
from inbox.engine.give_back import give_back_and_wait
from inbox.engine.has_work import has_work
from inbox.engine.pause import claim_probe, paused_for_s, try_again_now
from inbox.engine.reclaim import reclaim_all_stale, reclaim_own
from inbox.engine.work import Counts, work
from inbox.registry import Source
from inbox.worker.calls import CONCURRENCY, Calls
from inbox.worker.ingester import Ingester
from inbox.worker.liveness import find_gone, reclaim_from_gone
from inbox.worker.presence import Presence, PresenceLost
from inbox.worker.registration import Registration
from inbox.worker.signals import HasFileno, Stop
from inbox.worker.timer import Timer

logger = structlog.get_logger("inbox.worker.loop")

FIND_GONE_EVERY_S = 1.0
# While connections are scarce, a batch is this part of what it is otherwise.
SMALL_BATCH = 10
# While LISTEN works, polling only heals what a notification missed.
POLL_LESS_OFTEN = 5
# A notification wakes all workers, and all but one find nothing. Who was late so often leaves the next one to others
# for about as long as a message takes, and then only looks whether they left something.
IN_VAIN = 3
HEAD_START_S = 0.005
RECONNECT_PAUSE_S = (0.1, 1.0)
# How often a worker that shall stop tries to write the last answers to a database that refuses.
LAST_TRIES = 5
NEVER_S = 1e9


class Worker:
    """Serves `sources` under the name `worker_id`.

    `register` makes this process's presence (registration.py); without it, claims are taken back by age only.
    `concurrency` is how many outbound calls run at once; `on_progress` is called with the counts of each batch.
    """

    def __init__(
        self,
        *,
        sources: Sequence[Source],
        worker_id: str,
        batch_size: int,
        poll_interval_s: float,
        max_jobs: int | None = None,
        concurrency: int = CONCURRENCY,
        stop: Stop | None = None,
        register: Callable[..., Presence] | None = None,
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
        self.registration = Registration(worker_id, register)
        self.ingester = Ingester(sources)
        self._poll_interval_s = poll_interval_s
        self.poll = Timer(poll_interval_s)
        self.find_gone = Timer(FIND_GONE_EVERY_S)
        self.reclaim = Timer(conf.stale_after_s() / 4)
        self.calls = Calls(concurrency, beat_every_s=conf.stale_after_s() / 4)
        self.probe = Timer(NEVER_S)
        self._has_capacity = True
        self._may_have_work = True
        self._heard_in_vain = 0
        self._held: Claim | None = None
        self._has_lost_connection = False
        self._leaves_nothing = True

    def run(self) -> Counts:
        """Work until asked to stop, or until `max_jobs` are done. Raises StopNow at the second signal."""
        self._until(lambda moved: False)
        return self.counts

    def drain(self) -> Counts:
        """Work until ingest and sweeps bring nothing and nothing is due. Raises StopNow at the second signal."""
        self.ingester.is_thorough = True
        self._until(lambda moved: not moved and not self.calls)
        return self.counts

    def once(self) -> Counts:
        """One ingest, with the sweeps that are due, and one claim of each source."""
        self.ingester.sweeps_at_once = True
        self._until(lambda moved: True)
        return self.counts

    def _until(self, is_enough: Callable[[bool], bool]) -> None:
        self._set_probe(None)
        try:
            while not self.stop.is_asked and not self._has_all_it_may():
                moved = self._or_recover(self.tick)
                if moved is None:
                    continue
                if is_enough(moved):
                    break
                if not moved:
                    self._wait()
            self._see_calls_through()
        finally:
            # Something is held only after StopNow or a lost connection; if this fails too, it comes back by itself.
            with suppress(Error):
                self._give_back_what_is_held()
            with suppress(Error):
                self._give_back_calls()
            self.calls.close()
            with suppress(Error):
                self.ingester.close()
                self.registration.end(self.counts, _told(self.counts), leaves_nothing=self._leaves_nothing)

    def _has_all_it_may(self) -> bool:
        return self.max_jobs is not None and self.claimed >= self.max_jobs

    def _see_calls_through(self) -> None:
        """No more claims: wait for the calls on their way; if it shall stop, give back those that have not begun."""
        tries_left = LAST_TRIES
        while self.calls:
            if self._or_recover(self._tick_calls) is not None:
                self.calls.wait(min(self.find_gone.due_in_s(), self.calls.heartbeat.due_in_s()))
            elif self.stop.is_asked and not self.calls.are_running:
                tries_left -= 1
                if not tries_left:
                    break

    def _tick_calls(self) -> bool:
        if self.stop.is_asked:
            self._count(Counter({"GIVEN_BACK": self.calls.give_back_queued()}))
        has_moved = self._write_answers()
        self._take_back_from_others()
        return has_moved

    def _or_recover(self, step: Callable[[], bool]) -> bool | None:
        """One step; None if the database refused it, by a lost connection or a timeout. Bugs are raised."""
        try:
            self._give_back_what_is_held()
            self._renew_membership()
            return step()
        except PresenceLost as error:
            logger.warning("presence lost, registering again", error=error_text(error))
            self._drop_membership()
        except Error as error:
            if is_connection_lost(error):
                logger.warning("connection lost, connecting again", error=error_text(error))
                connection.close()
                self._has_lost_connection = self._held is not None
                # Whatever broke it may have broken the other one too, without a sign.
                self._drop_membership()
            elif not isinstance(error, OperationalError):
                raise
            else:
                logger.warning("the database refused, going on", error=error_text(error))
        self._may_have_work = True
        pause_s = random.uniform(*RECONNECT_PAUSE_S)  # noqa: S311 not a secret
        # A wait ends at once when it shall stop, and what is still to be written must not be tried without a pause.
        if self.stop.is_asked and self.calls:
            time.sleep(pause_s)
        else:
            self.stop.wait(pause_s)
        return None

    def tick(self) -> bool:
        """One round: answers, the roll, rows, a claim of each source. True means: go on at once, there may be more."""
        if self._write_answers() and self.calls.room:
            self._may_have_work = True
        self._take_back_from_others()
        if self.probe.is_due():
            self._may_have_work = True
        if not self._may_have_work and not (self.poll.is_due() and self._has_work()):
            return self._sweep_on()
        # Full claims mean a backlog of jobs: new rows can wait for the next poll.
        has_looked = self._has_capacity or self.poll.is_due()
        came = has_looked and self.ingester.poll()
        if has_looked:
            self.poll.done()
        self._set_probe(None)
        claims = [self._claim_and_work(source) for source in self.sources]
        claimed = [len(claim) for claim in claims if claim]
        if claimed:
            self._heard_in_vain = 0
        self._has_capacity = not all(claim and claim.is_full for claim in claims)
        self._may_have_work = came or any(claimed) or not has_looked
        if self.ingester.is_hindered and not any(claimed):
            self.stop.wait(random.uniform(*RECONNECT_PAUSE_S))  # noqa: S311 not a secret
        return self._sweep_on()

    def _sweep_on(self) -> bool:
        if self.ingester.sweep_on():
            self._may_have_work = True
        return self.ingester.is_sweeping or self._may_have_work

    def _has_work(self) -> bool:
        self.poll.done()
        return has_work([source for source in self.sources if not source.is_outbound or self.calls.room])

    def _write_answers(self) -> bool:
        """Write what calls have answered and let the others go on; True if there were answers."""
        if not self.calls:
            return False
        counts = self.calls.write()
        self._count(counts)
        if counts["GIVEN_BACK"]:
            # Whoever was called is not there; those that wait for their turn need not find that out too.
            self._count(Counter({"GIVEN_BACK": self.calls.give_back_paused()}))
        self.calls.go_on(self.registration.presence_id)
        return counts.total() > 0

    def _count(self, counts: Counts) -> None:
        self.claimed -= counts["GIVEN_BACK"]
        self.counts += counts
        if counts.total():
            self.on_progress(counts)

    def _wait(self) -> None:
        """Until something is heard, or the next thing is due, or it shall stop."""
        chores = [self.poll, self.find_gone, self.reclaim, self.probe] + [self.calls.heartbeat] * bool(self.calls)
        readers: list[HasFileno] = [self.calls] if self.calls.are_running else []
        if self.registration.presence and self.registration.is_seen:
            readers.append(self.registration.presence)
        self.stop.wait(min(chore.due_in_s() for chore in chores), *readers)

    def _take_back_from_others(self) -> None:
        limits = {"max_attempts": conf.max_attempts(), "batch_size": self.batch_size}
        if self.find_gone.is_due():
            gone = find_gone(self.registration.id, self.counts)
            if gone and (taken := reclaim_from_gone(gone, **limits)):
                logger.warning("took back jobs of workers that are gone", jobs=taken.total(), workers=len(gone))
                self._may_have_work = True
            self.find_gone.done()
        if self.reclaim.is_due():
            if taken := reclaim_all_stale(stale_after_s=conf.stale_after_s(), **limits):
                logger.warning("took back jobs whose claim was too old", jobs=taken.total())
                self._may_have_work = True
            self.reclaim.done()

    def _renew_membership(self) -> None:
        """See to the registration, and hear what has come. Raises OperationalError, and PresenceLost."""
        if self.registration.renew(self.counts):
            self.poll.every_s = self._poll_interval_s * (POLL_LESS_OFTEN if self.registration.is_seen else 1)
            # Before anyone calls the roll and takes them for those of a process that is gone.
            self.calls.beat(self.registration.presence_id)
            # What came before it listened, it has not heard of.
            self._may_have_work = True
        if self.registration.has_heard():
            if self._heard_in_vain < IN_VAIN:
                self._may_have_work = True
            else:
                self.poll.bring_forward(HEAD_START_S)
            self._heard_in_vain += 1

    def _drop_membership(self) -> None:
        self.registration.drop()
        self.poll.every_s = self._poll_interval_s

    def _claim_and_work(self, source: Source) -> Claim | None:
        """Claim and work on one batch; None if no more may be claimed."""
        size = max(self.batch_size // SMALL_BATCH, 1) if self.registration.is_tight else self.batch_size
        limit = size if self.max_jobs is None else min(size, self.max_jobs - self.claimed)
        if source.is_outbound:
            limit = min(limit, self.calls.room)
        if limit <= 0 or self.stop.is_asked:
            return None
        if source.is_outbound:
            return self._claim_and_call(source, limit)
        claimed = self._held = self._claim(source, limit)
        if claimed:
            self.claimed += len(claimed)
            counts = work(claimed, is_stopping=lambda: self.stop.is_asked)
            self.counts += counts
            logger.debug("batch worked", source=source.name, jobs=len(claimed), **_told(counts))
            self.on_progress(counts)
        self._held = None
        return claimed

    def _claim_and_call(self, source: Source, limit: int) -> Claim | None:
        """Claim jobs and begin their calls; of a source that pauses, one job, if it is to be tried now."""
        pause_s = paused_for_s(source)
        if pause_s:
            self._set_probe(min(pause_s, self.probe.every_s))
            return None
        is_probe = pause_s is not None
        if is_probe:
            claimed = claim_probe(source, worker_id=self.worker_id, presence_id=self.registration.presence_id)
        else:
            claimed = self._claim(source, limit)
        self._held = claimed
        if claimed:
            self.claimed += len(claimed)
            counts, calls = self.calls.take(claimed)
            # From here on they are renewed, finished and given back by `calls`.
            self._held = None
            self._count(counts)
            if is_probe and not calls:
                try_again_now(claimed)
            self.calls.start()
        self._held = None
        return claimed

    def _claim(self, source: Source, limit: int) -> Claim:
        return claim(source, worker_id=self.worker_id, limit=limit, presence_id=self.registration.presence_id)

    def _set_probe(self, in_s: float | None) -> None:
        """Look again in so many seconds, whatever else there is to do; None: there is nothing to look for."""
        self.probe.every_s = NEVER_S if in_s is None else in_s
        self.probe.done()

    def _give_back_what_is_held(self) -> None:
        """After a lost connection or StopNow: return to NEW what the last claim still holds. Calls go on."""
        if self._held is None:
            return
        held, self._held = self._held, None
        inbox_ids = [inbox_id for ids in held.inbox_ids.values() for inbox_id in ids]
        try:
            if self._has_lost_connection:
                given_back = reclaim_own(held.lease_id, inbox_ids).total()
            else:
                given_back, self._leaves_nothing = give_back_and_wait(held.lease_id, inbox_ids)
        except BaseException:
            self._held = held
            raise
        self._has_lost_connection = False
        self.claimed -= given_back
        self.counts["GIVEN_BACK"] += given_back
        logger.info("gave back jobs", jobs=given_back)

    def _give_back_calls(self) -> None:
        """After StopNow, a bug or a database that is gone: return all jobs to NEW, whatever their calls do."""
        if not self.calls:
            return
        leaves_nothing, self._leaves_nothing = self._leaves_nothing, False
        given_back, is_free = self.calls.give_back_all()
        self._leaves_nothing = leaves_nothing and is_free
        self.counts["GIVEN_BACK"] += given_back
        logger.info("gave back jobs whose calls had not ended", jobs=given_back)


def _told(counts: Counts) -> dict[str, int]:
    """Counts as keys of a log."""
    return {key.lower(): counts[key] for key in ("DONE", "FAILED", "DEAD", "WAITING", "GIVEN_BACK") if counts[key]}
