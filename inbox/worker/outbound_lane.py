"""The lane of outbound calls: claims jobs that need a call, has the calls made, and writes their answers.

While a source pauses, one process at a time tries one job as a probe; any answer ends the pause (engine/pause.py).
"""

from functools import partial

from inbox.engine.claim import Claim, claim
from inbox.engine.pause import claim_probe, paused_for_s, try_again_now
from inbox.registry import Source
from inbox.worker.calls import Calls
from inbox.worker.held_claim import HeldClaim
from inbox.worker.timer import Timer

NEVER_S = 1e9


class OutboundLane:
    """`leaves_jobs`: some jobs could not be given back at the end and are still PROCESSING."""

    def __init__(self, calls: Calls, held: HeldClaim, worker_id: str) -> None:
        self.calls = calls
        self.probe = Timer(NEVER_S)
        self.leaves_jobs = False
        self._held = held
        self._worker_id = worker_id
        self.forget_probe()

    def write_answers(self, presence_id: int | None) -> bool:
        """Write what calls have answered, begin the calls whose turn it is, renew claims; True if there is room again.

        Raises what the database raises; the answers are kept then.
        """
        if not self.calls:
            return False
        counts = self.calls.write()
        if counts.given_back:
            # The service is unavailable; jobs that wait for their turn need not find that out too.
            self.calls.give_back_queued(is_paused_only=True)
        self.calls.start()
        if self.calls.heartbeat.is_due():
            self.calls.beat(presence_id)
        return bool(counts and self.calls.room)

    def claim_and_call(self, source: Source, limit: int, presence_id: int | None) -> Claim | None:
        """Claim jobs and begin their calls; of a paused source one job, if it is time for a probe."""
        pause_s = paused_for_s(source)
        if pause_s:
            self.probe.restart(min(pause_s, self.probe.every_s))
            return None
        is_probe = pause_s is not None
        message_types = self.calls.hold_ups.open_types(source)
        if not message_types:
            return None
        claim_jobs = claim_probe if is_probe else partial(claim, limit=limit, message_types=message_types)
        claimed = claim_jobs(source, worker_id=self._worker_id, presence_id=presence_id)
        if not claimed:
            return claimed
        with self._held.holding(claimed):
            calls = self.calls.take(claimed)
        # From here on `calls` renews, finishes and gives back these jobs.
        if is_probe and not calls:
            try_again_now(claimed)
        self.calls.start()
        return claimed

    def forget_probe(self) -> None:
        """No source is known to pause."""
        self.probe.restart(NEVER_S)

    def give_back(self) -> None:
        """After StopNow, a bug or an outage: return all jobs to NEW, whatever their calls do."""
        if not self.calls:
            return
        # Until it is known that none is left.
        self.leaves_jobs = True
        self.leaves_jobs = self.calls.give_back_all()
