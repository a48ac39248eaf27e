"""Calls: makes the calls of outbound jobs, several at once, each in a thread, beside the worker's loop.

Only the loop's thread uses the database and changes the state here; a call's thread hands over its answer and ends.
Each answer is written at the next turn of the loop, whatever the other calls do. Failure modes: a call hangs (it
ends at its own deadline; its claim is renewed until then), the connection breaks (answers stay here, and are written by
lease on a new one), the process has to stop at once (all jobs are given back; the threads die with it).
"""

import socket
import threading
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from queue import SimpleQueue
from uuid import UUID

from django.db import Error

from inbox.db.errors import is_connection_lost
from inbox.engine.claim import Claim
from inbox.engine.give_back import give_back, give_back_and_wait
from inbox.engine.heartbeat import renew_claims
from inbox.engine.hold_up import HoldUps
from inbox.engine.outbound import Call, prepare, write_answers
from inbox.engine.pause import paused_for_s
from inbox.engine.reclaim import reclaim_own
from inbox.events import Event, emit
from inbox.job_counts import NO_JOBS, JobCounts
from inbox.worker.signals import wait_readable
from inbox.worker.timer import Timer

CONCURRENCY = 8
# An answer that breaks the connection each time it is written counts as a job that kills its worker.
MOST_WRITES = 3


class Calls:
    """At most `concurrency` calls at a time, and as many again that are prepared and queued."""

    def __init__(self, concurrency: int, *, beat_every_s: float) -> None:
        self.concurrency = concurrency
        self.hold_ups = HoldUps()
        self.heartbeat = Timer(beat_every_s)
        self._reset()

    def _reset(self) -> None:
        self._queue: deque[Call] = deque()
        self._running: set[Call] = set()
        self._ended: list[Call] = []
        self._answers: SimpleQueue[Call] = SimpleQueue()
        self._ends: tuple[socket.socket, socket.socket] | None = None

    def __len__(self) -> int:
        return len(self._queue) + len(self._running) + len(self._ended)

    @property
    def are_running(self) -> bool:
        """True if a call is on its way, or has just ended: there is an answer to wait for."""
        return bool(self._running)

    @property
    def room(self) -> int:
        """How many jobs may be claimed now; 0 until a claim is worthwhile, and while a job has to be alone."""
        if len(self) > self.concurrency or any(call.claim.runs_alone for call in self._all()):
            return 0
        return 2 * self.concurrency - len(self)

    def take(self, claim: Claim) -> int:
        """Prepare the jobs of a claim; returns how many calls it takes."""
        if not self:
            # A new claim needs no renewal yet.
            self.heartbeat.restart()
        calls = prepare(claim, self.hold_ups)
        self._queue.extend(calls)
        return len(calls)

    def start(self) -> None:
        """Begin as many calls as may run."""
        while self._queue and len(self._running) < self.concurrency:
            if self._ends is None:
                self._ends = socket.socketpair()
                for end in self._ends:
                    end.setblocking(False)
            call = self._queue.popleft()
            self._running.add(call)
            # A daemon, as the process must be able to end while a call hangs.
            threading.Thread(target=_make, args=(call, self._answers, self._ends[1]), daemon=True).start()

    def fileno(self) -> int:
        """For poll(): readable when a call has ended."""
        return self._ends[0].fileno() if self._ends else -1

    def wait(self, timeout_s: float) -> None:
        """Until a call has ended, for at most `timeout_s` seconds; not at all if none runs."""
        if self._running:
            wait_readable(timeout_s, self)

    def write(self) -> JobCounts:
        """Write the answers of all calls that have ended. Raises what the database raises; they are kept then."""
        if self._ends is not None:
            with suppress(BlockingIOError):
                self._ends[0].recv(4096)
        while not self._answers.empty():
            call = self._answers.get()
            self._running.remove(call)
            self._ended.append(call)
        counts = NO_JOBS
        for calls in _together(self._ended):
            counts += _write(calls, self.hold_ups)
            self._ended = [call for call in self._ended if call not in calls]
        return counts

    def beat(self, presence_id: int | None) -> None:
        """Renew all claims."""
        for lease_id, inbox_ids in self._by_lease(self._all()).items():
            held = renew_claims(lease_id, inbox_ids, presence_id)
            if held < len(inbox_ids):
                emit(Event.RENEWAL_MISSED, count=len(inbox_ids) - held, claims=len(inbox_ids))
        self.heartbeat.restart()

    def give_back_queued(self, *, is_paused_only: bool = False) -> None:
        """Give back the jobs whose call has not begun: all, or those of the sources that pause."""
        sources = {call.claim.source.name: call.claim.source for call in self._queue}
        if is_paused_only:
            sources = {name: source for name, source in sources.items() if paused_for_s(source) is not None}
        calls = [call for call in self._queue if call.claim.source.name in sources]
        for lease_id, inbox_ids in self._by_lease(calls).items():
            give_back(lease_id, inbox_ids)
        self._queue = deque(call for call in self._queue if call not in calls)

    def give_back_all(self) -> bool:
        """Give back all jobs, whatever their calls do; True if some could not be and are still PROCESSING."""
        leaves_jobs = False
        for lease_id, inbox_ids in self._by_lease(self._all()).items():
            leaves_jobs |= give_back_and_wait(lease_id, inbox_ids)
        return leaves_jobs

    def close(self) -> None:
        """Forget all calls; answers of those that still run are dropped."""
        for end in self._ends or ():
            end.close()
        self._reset()

    def _all(self) -> list[Call]:
        return [*self._queue, *self._running, *self._ended]

    @staticmethod
    def _by_lease(calls: Iterable[Call]) -> dict[UUID, list[int]]:
        leases: dict[UUID, list[int]] = {}
        for call in calls:
            leases.setdefault(call.claim.lease_id, []).append(call.inbox_id)
        return leases


def _make(call: Call, answers: SimpleQueue[Call], bell: socket.socket) -> None:
    """The whole life of a call's thread."""
    try:
        call.answer = call.outbound.call(call.request)
    except BaseException as error:
        call.error = error
    answers.put(call)
    # The socket is closed once the worker has to stop at once.
    with suppress(OSError):
        bell.send(b".")


def _together(calls: Iterable[Call]) -> list[list[Call]]:
    """Groups that are written in one transaction. An answer that could not be written the first time goes alone."""
    groups: dict[tuple[UUID, str, int], list[Call]] = {}
    for call in calls:
        alone = call.inbox_id if call.writes else 0
        groups.setdefault((call.claim.lease_id, call.message_type, alone), []).append(call)
    return list(groups.values())


def _write(calls: list[Call], hold_ups: HoldUps) -> JobCounts:
    claim = calls[0].claim
    if calls[0].writes == MOST_WRITES:
        return reclaim_own(claim.lease_id, [call.inbox_id for call in calls])
    try:
        return write_answers(claim, calls[0].message_type, calls, hold_ups)
    except Error as error:
        if is_connection_lost(error):
            for call in calls:
                call.writes += 1
        raise
