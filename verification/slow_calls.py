"""A worker of outbound calls whose call lasts until the race lets it answer: the product's own Calls, step by step."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Event
from typing import Any

from inbox.api import LockedJob, Outbound, Outcome, Source, done
from inbox.engine.claim import claim
from inbox.job_counts import JobCounts
from inbox.worker.calls import Calls
from verification.proof.stage import Stage
from verification.scenes import SOURCE, leave_witnesses

PATIENCE_S = 30.0


class SlowCall:
    """A worker, in the session `name`, with the call of one job. A job that is finished leaves a witness."""

    def __init__(self, stage: Stage, name: str) -> None:
        self._stage = stage
        self._name = name
        self._calls = Calls(1, beat_every_s=1)
        self._may_answer = Event()
        outbound = Outbound(lambda jobs: [job.inbox_id for job in jobs], self._call, _finish)
        self._source = Source(name=SOURCE.name, command="none", outbound={"witness": outbound})

    def begin(self) -> None:
        """Claim a job, and begin its call. Raises LookupError if no job is due."""
        self._take(self._begin, "claims a job, and its call begins")

    def beat(self) -> None:
        """Renew the claim."""
        self._take(partial(self._calls.beat, None), "renews its claim")

    def answer(self) -> JobCounts:
        """The call answers, and the worker writes that; returns how the job ended."""
        self._may_answer.set()
        self._calls.wait(PATIENCE_S)
        counts: JobCounts = self._take(self._calls.write, "its call has answered: writes that")
        return counts

    def close(self) -> None:
        """End the thread of the call."""
        self._may_answer.set()
        self._calls.close()

    def _begin(self) -> None:
        if not self._calls.take(claim(self._source, worker_id=self._name, limit=1)):
            raise LookupError("there was no job to call for")
        self._calls.start()

    def _take(self, step: Callable[[], Any], what: str) -> Any:
        self._stage.start(self._name, step, what)
        return self._stage.end(self._name).get()

    def _call(self, inbox_id: int) -> Outcome:
        self._may_answer.wait(PATIENCE_S)
        return done()


@contextmanager
def slow_calls(stage: Stage, *names: str) -> Iterator[list[SlowCall]]:
    """A worker with a slow call in each of these sessions."""
    workers = [SlowCall(stage, name) for name in names]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.close()


def _finish(jobs: Sequence[LockedJob], answers: Sequence[Outcome]) -> Sequence[Outcome]:
    leave_witnesses(jobs)
    return answers
