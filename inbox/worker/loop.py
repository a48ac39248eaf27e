"""The worker: ingest, claim, work, until it is asked to stop.

Single-threaded: to go faster, run more processes. Only outbound calls run several at once (calls.py). What
can go wrong: the connection breaks (the worker reclaims its own jobs and goes on with a new one), its presence is lost
(it claims nothing until it has a new one), or another process holds the watermark (it works on the jobs there are).
Settings: INBOX_BATCH_SIZE, INBOX_POLL_INTERVAL, INBOX_LOOKBACK, INBOX_RECONCILE_EVERY, INBOX_STALE_AFTER.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from django.conf import settings
from django.db import Error

from inbox.engine.claim import Claim, claim
from inbox.engine.work import work
from inbox.events import Event, listening
from inbox.job_counts import NO_JOBS, JobCounts
from inbox.registry import Source
from inbox.worker.calls import CONCURRENCY, Calls
from inbox.worker.hints import Hints
from inbox.worker.ingester import Ingester
from inbox.worker.outbound_lane import OutboundLane
from inbox.worker.presence import Presence
from inbox.worker.reclaimer import Reclaimer
from inbox.worker.recovery import Recovery, jittered_pause_s
from inbox.worker.registration import Registration
from inbox.worker.schedule import Schedule
from inbox.worker.signals import HasFileno, Stop

# While connections are scarce, a batch has this part of its usual size.
TIGHT_BATCH_DIVISOR = 10
# How often a worker that should stop tries to write the last answers to a database that refuses.
LAST_TRIES = 5
# How often a drain begins a sweep that the database has broken off.
SWEEP_TRIES = 3
# The events after which a job is no longer in this worker's hands.
OWN_JOBS = frozenset([Event.FINISHED, Event.FAILED, Event.GIVEN_BACK, Event.HELD_UP, Event.RECLAIMED_OWN])


class Worker:
    """Serves `sources` under the name `worker_id`.

    `register` makes this process's presence (registration.py); without it, claims are reclaimed by age only.
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
        on_progress: Callable[[JobCounts], None] = lambda counts: None,
    ) -> None:
        self.sources = sources
        self.worker_id = worker_id
        self.batch_size = batch_size
        self.max_jobs = max_jobs
        self.stop = stop or Stop()
        self.on_progress = on_progress
        self.counts = NO_JOBS
        self.registration = Registration(worker_id, register)
        self.schedule = Schedule(poll_interval_s)
        self.hints = Hints()
        self.calls = Calls(concurrency, beat_every_s=settings.INBOX_STALE_AFTER / 4)
        self.hold_ups = self.calls.hold_ups
        self.ingester = Ingester(sources, self.hold_ups, is_stopping=lambda: self.stop.is_asked)
        self.reclaimer = Reclaimer(batch_size, on_jump=self.ingester.clock_has_jumped)
        self.recovery = Recovery(self.registration, self.schedule, self.calls, self.stop, lambda: self.counts)
        self.held = self.recovery.held
        self.lane = OutboundLane(self.calls, self.held, worker_id)

    def run(self) -> JobCounts:
        """Work until asked to stop, or until `max_jobs` are done. Raises StopNow at the second signal."""
        with self._lifetime():
            self._repeat(self.tick, until=lambda moved: False)
        return self.counts

    def drain(self) -> JobCounts:
        """Work until ingest and sweeps bring nothing and nothing is due. Raises StopNow at the second signal."""
        with self._lifetime():
            self._repeat(self.tick, until=self._is_idle)
            for _ in range(SWEEP_TRIES):
                if self._is_over() or not self.ingester.begin_missing_sweeps():
                    break
                self._repeat(self.tick, until=self._is_idle)
        return self.counts

    def once(self) -> JobCounts:
        """One ingest, with the sweeps that are due, and one claim of each source."""
        with self._lifetime():
            self._repeat(self._once, until=lambda moved: True)
        return self.counts

    def tick(self) -> bool:
        """One round: answers, reclaim, ingest, claim, work, finish, sweep. True if there may be more to do at once."""
        if self.lane.write_answers(self.registration.presence_id) or self.lane.probe.is_due():
            self.schedule.poll_now()
        if self.reclaimer.reclaim_due(self.registration.id, self.counts) or self.hold_ups.have_opened():
            self.schedule.poll_now()
        if self.schedule.is_time_to_poll(self._has_work):
            self._poll()
        if self.ingester.sweep_on(has_backlog=self.schedule.has_backlog):
            self.schedule.poll_now()
        return self.ingester.is_sweeping or not self.schedule.is_idle

    def _poll(self) -> None:
        """Ingest, unless there is a backlog, then claim and work on one batch of each source."""
        is_ingest = self.schedule.is_time_to_ingest()
        made = self.ingester.ingest() if is_ingest else 0
        if is_ingest:
            self.schedule.ingested()
        claims = self._claim_and_work_all()
        has_claimed = any(claims)
        self.schedule.polled(
            has_claimed=has_claimed,
            has_backlog=all(claimed and claimed.is_full for claimed in claims),
            # Rows that this poll left out, jobs that a refused ingest did not make, or more of the same.
            has_more=has_claimed or made != 0 or not is_ingest,
        )
        if made is None and not has_claimed:
            self.stop.wait(jittered_pause_s())

    def _once(self) -> bool:
        self.reclaimer.reclaim_due(self.registration.id, self.counts)
        self.ingester.ingest()
        self.ingester.sweep_to_end()
        self._claim_and_work_all()
        return False

    def _claim_and_work_all(self) -> list[Claim | None]:
        """One claim of each source; None for a source of which no more may be claimed."""
        self.lane.forget_probe()
        return [self._claim_and_work(source) for source in self.sources]

    def _claim_and_work(self, source: Source) -> Claim | None:
        limit = self._limit(source)
        if limit <= 0 or self.stop.is_asked:
            return None
        presence_id = self.registration.presence_id
        if source.is_outbound:
            claimed = self.lane.claim_and_call(source, limit, presence_id)
        else:
            types = self.hold_ups.open_types(source)
            claimed = claim(source, worker_id=self.worker_id, limit=limit, presence_id=presence_id, message_types=types)
            with self.held.holding(claimed):
                work(claimed, is_stopping=lambda: self.stop.is_asked, hold_ups=self.hold_ups)
        return claimed

    def _limit(self, source: Source) -> int:
        size = max(self.batch_size // TIGHT_BATCH_DIVISOR, 1) if self.registration.is_tight else self.batch_size
        if self.max_jobs is not None:
            size = min(size, self.max_jobs - self._used())
        return min(size, self.calls.room) if source.is_outbound else size

    def _used(self) -> int:
        """How many of `max_jobs` are done, or on their way."""
        return self.held.claimed - self.counts.given_back

    def _is_over(self) -> bool:
        """A stop is asked for, or `max_jobs` is reached."""
        return self.stop.is_asked or (self.max_jobs is not None and self._used() >= self.max_jobs)

    def _is_idle(self, moved: bool) -> bool:
        return not moved and not self.calls and not self.hold_ups

    def _has_work(self) -> bool:
        sources = [source for source in self.sources if not source.is_outbound or self.calls.room]
        if self.hold_ups:
            return True
        found = self.hints.look_for_work(sources)
        self.schedule.set_listening(self.registration.is_seen and self.hints.are_sent)
        return found

    def _count(self, event: Event, counts: JobCounts) -> None:
        if event in OWN_JOBS:
            self.counts += counts

    def _show(self, event: Event, counts: JobCounts) -> None:
        if event in OWN_JOBS and counts:
            self.on_progress(counts)

    @contextmanager
    def _lifetime(self) -> Iterator[None]:
        """Count what happens, see the calls through, and leave nothing behind, whatever ends the worker."""
        with listening(self._count):
            try:
                # Not in the cleanup: whatever showing it raises must not cut that off.
                with listening(self._show):
                    yield
                    self._see_calls_through()
            finally:
                # A claim is in hand only after StopNow or a lost connection; if this fails too, others reclaim it.
                with suppress(Error):
                    self.held.give_back()
                with suppress(Error):
                    self.lane.give_back()
                self.calls.close()
                with suppress(Error):
                    self.ingester.close()
                with suppress(Error):
                    leaves_jobs = self.held.leaves_jobs or self.lane.leaves_jobs
                    self.registration.end(self.counts, leaves_jobs=leaves_jobs)

    def _repeat(self, step: Callable[[], bool], *, until: Callable[[bool], bool]) -> None:
        """Repeat a step until `until` says so of its result, a stop is asked for, or `max_jobs` is reached.

        A step returns whether it brought anything; after one that did not, wait.
        """
        while not self._is_over():
            moved = self.recovery.attempt(step)
            if moved is None:
                continue
            if until(moved):
                return
            if not moved:
                self._wait()

    def _see_calls_through(self) -> None:
        """No more claims: wait for the calls on their way; once asked to stop, give back those that have not begun."""
        tries_left = LAST_TRIES
        while self.calls:
            if self.recovery.attempt(self._tick_calls) is not None:
                self.calls.wait(min(self.reclaimer.gone.due_in_s(), self.calls.heartbeat.due_in_s()))
            elif self.stop.is_asked and not self.calls.are_running:
                tries_left -= 1
                if not tries_left:
                    break

    def _tick_calls(self) -> bool:
        if self.stop.is_asked:
            self.calls.give_back_queued()
        has_room = self.lane.write_answers(self.registration.presence_id)
        self.reclaimer.reclaim_due(self.registration.id, self.counts)
        return has_room

    def _wait(self) -> None:
        """Until a notification or an answer comes, or the next timer is due, or a stop is asked for."""
        timers = [self.schedule.poll, self.reclaimer.gone, self.reclaimer.stale, self.lane.probe]
        timers += [self.calls.heartbeat] * bool(self.calls)
        readers: list[HasFileno] = [self.calls] if self.calls.are_running else []
        if self.registration.presence and self.registration.is_seen:
            readers.append(self.registration.presence)
        self.stop.wait(min(self.hold_ups.due_in_s(), *(timer.due_in_s() for timer in timers)), *readers)
