"""Signals to the project's processes: kills and polite ends."""

import signal

from tests.chaos.faults.fault import Fault
from tests.support.zygote import send_signal


class Kill(Fault):
    name = "worker killed"
    does = "SIGKILL, as by the kernel when memory runs out"
    weight = 5

    def begin(self, monkey):
        send_signal(monkey.rng.choice(monkey.processes.workers), signal.SIGKILL)


class AskToStop(Fault):
    name = "worker stopped"
    does = "SIGTERM"
    weight = 2

    def begin(self, monkey):
        send_signal(monkey.rng.choice(monkey.processes.workers), signal.SIGTERM)


class Storm(Fault):
    name = "all workers stopped"
    does = "SIGTERM to all at once, twice or three times to some"

    def begin(self, monkey):
        for pid in monkey.processes.workers:
            for _ in range(monkey.rng.randint(1, 3)):
                send_signal(pid, signal.SIGTERM)


class KillReclaimer(Fault):
    name = "reclaimer killed"
    does = "SIGKILL to the process that reclaims jobs"
    weight = 2

    def begin(self, monkey):
        monkey.processes.kill_reclaimer()
