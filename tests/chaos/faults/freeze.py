"""Workers stand still for longer than their claims last, and wake up while others work on their jobs."""

import signal
import time

from tests.chaos.faults.fault import Fault
from tests.support.zygote import send_signal

# Longer than INBOX_STALE_AFTER of the chaos settings. The second is so much longer that who waits for what it holds is
# seen. A frozen worker wakes before that if others are just at its jobs.
FREEZE_S = (2.4, 4.5)
LOOK_EVERY_S = 0.02
# Workers that have claimed and not begun to work: only the lease protects what they hold.
HOLD_BY_LEASE_ONLY = """
SELECT pid, array_agg(inbox_id)
  FROM (SELECT worker.pid, job.inbox_id
          FROM integration_inbox AS job JOIN inbox_worker AS worker ON worker.id = job.presence_id
         WHERE job.status = 'PROCESSING' FOR UPDATE OF job SKIP LOCKED) AS held
 GROUP BY pid ORDER BY count(*) DESC, pid
"""


class Freeze(Fault):
    name = "workers frozen"
    does = f"SIGSTOP to some for {FREEZE_S[0]:g} or {FREEZE_S[1]:g} s, longer than their claims last"
    weight = 4
    once_at_a_time = False
    # How many at once.
    most = 2
    # It waits one of these times, in seconds, until some worker holds jobs by its lease alone.
    waits_s: tuple[float, ...] = (0.0,)

    def begin(self, monkey):
        """One or more at once: the others take over, and are at it when these wake up."""
        workers = monkey.processes.workers
        count = monkey.rng.randint(1, min(self.most, len(workers) - 1))
        held = self._wait_for_holders_by_lease(monkey)
        # Until when, and the jobs that they held by lease only.
        self._frozen = {}
        for pid in list(held)[:count] or monkey.rng.sample(workers, count):
            send_signal(pid, signal.SIGSTOP)
            # Others must have the time to claim what was held by the lease only.
            lasts_s = FREEZE_S[1] if pid in held else monkey.rng.choice(FREEZE_S)
            self._frozen[pid] = time.monotonic() + lasts_s, held.get(pid, set())
        monkey.frozen |= self._frozen.keys()

    def _wait_for_holders_by_lease(self, monkey):
        """Those that stand still already don't count."""
        deadline = time.monotonic() + monkey.rng.choice(self.waits_s)
        while True:
            held = {pid: jobs for pid, jobs in _held_by_lease_only(monkey).items() if pid not in monkey.frozen}
            if held or time.monotonic() >= deadline:
                return held
            time.sleep(LOOK_EVERY_S)

    def is_over(self, monkey):
        """Wake those that have been frozen long enough, and those whose jobs others have and only a lease protects."""
        held = _held_by_lease_only(monkey) if any(jobs for _, jobs in self._frozen.values()) else {}
        at_risk = {job for pid, jobs in held.items() if pid not in monkey.frozen for job in jobs}
        for pid, (until, jobs) in list(self._frozen.items()):
            if time.monotonic() >= until or jobs & at_risk:
                monkey.notes["woken while others are at it"] += bool(jobs & at_risk)
                self._wake(monkey, pid)
        return not self._frozen

    def end(self, monkey):
        for pid in list(self._frozen):
            self._wake(monkey, pid)

    def _wake(self, monkey, pid):
        send_signal(pid, signal.SIGCONT)
        del self._frozen[pid]
        monkey.frozen.discard(pid)


class FreezeMany(Freeze):
    """For a run that has to break what only the lease protects. Little else is done meanwhile."""

    weight = 8
    # One is always left.
    most = 100
    waits_s = (0.0, 1.0, 1.0)


def _held_by_lease_only(monkey):
    """By worker, those with the most jobs first."""
    return {pid: set(jobs) for pid, jobs in monkey.see(HOLD_BY_LEASE_ONLY) if pid in monkey.processes.workers}
