"""Row P4, heartbeat: a call takes longer than INBOX_STALE_AFTER; and one whose worker was frozen meanwhile.

A       claims a job, and its call begins     | no transaction is open
        the claim grows old
A       renews its claims
R       reclaims old claims                   | not this one
A       its call answers, and A writes that   | DONE, one effect

A       claims a job, and its call begins     | A is frozen: no heartbeat
        the claim grows old
R       reclaims the job
B       claims it
A       goes on: renews its claims            | not that of B
A       its call answers, and A writes that   | nothing is written
B       writes its answer                     | DONE, one effect
"""

from functools import partial
from threading import Event

from inbox.api import LockedJob, Outbound, Outcome, Source, done
from inbox.engine.claim import claim
from inbox.worker.calls import Calls
from verification.proof.stage import Stage
from verification.scenes import (
    SOURCE,
    leave_witnesses,
    succeed,
)

PATIENCE_S = 30.0


class SlowCall:
    """A worker with the call of one job, which answers once it is told to."""

    def __init__(self, stage: Stage, name: str) -> None:
        self._stage = stage
        self._name = name
        self._calls = Calls(1, beat_every_s=1)
        self._may_answer = Event()
        outbound = Outbound(lambda jobs: [job.inbox_id for job in jobs], self._call, _finish)
        self._source = Source(name=SOURCE.name, command="none", outbound={"witness": outbound})

    def begin(self) -> None:
        self._take(self._begin, "claims a job, and its call begins")

    def beat(self) -> None:
        self._take(partial(self._calls.beat, None), "renews its claims")

    def answer(self) -> None:
        """The call answers, and the worker writes that."""
        self._may_answer.set()
        self._calls.wait(PATIENCE_S)
        self._take(self._calls.write, "writes the answer")
        self._calls.close()

    def _begin(self) -> None:
        if not self._calls.take(claim(self._source, worker_id=self._name, limit=1)):
            raise LookupError("there was no job to call for")
        self._calls.start()

    def _take(self, step, what: str) -> None:
        self._stage.start(self._name, step, what)
        succeed(self._stage.end(self._name))

    def _call(self, inbox_id: int) -> Outcome:
        self._may_answer.wait(PATIENCE_S)
        return done()


def _finish(jobs: list[LockedJob], answers: list[Outcome]) -> list[Outcome]:
    return leave_witnesses(jobs) and answers
