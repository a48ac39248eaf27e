"""Kills, freezes, disconnects, restarts, brings strangers; keeps as many workers alive as there should be."""

import random
import signal
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psycopg

from config.embedded_postgres.server import Server
from tests.chaos import domain
from tests.chaos.strangers import Strangers
from tests.support.pooler import Pooler
from tests.support.zygote import Zygote, is_alive, send_signal

WORKERS = 4
WORKS = [*[("run_inbox_worker",)] * WORKERS, *domain.workers()]
# Longer than INBOX_STALE_AFTER of the chaos settings. The second is so much longer that who waits for what it holds is
# seen. A frozen worker wakes before that if others are just at its jobs.
FREEZE_S = (2.4, 4.5)
# Workers that have claimed and not begun to work: only the lease protects what they hold.
HOLD_BY_LEASE_ONLY = """
SELECT pid, array_agg(inbox_id)
  FROM (SELECT worker.pid, job.inbox_id
          FROM integration_inbox AS job JOIN inbox_worker AS worker ON worker.id = job.presence_id
         WHERE job.status = 'PROCESSING' FOR UPDATE OF job SKIP LOCKED) AS held
 GROUP BY pid ORDER BY count(*) DESC, pid
"""


class Monkey:
    """Owns all processes of a run. Its random choices come from the seed.

    With a pooler all processes work through it, and every other one has a direct way to the server besides.
    """

    def __init__(
        self, server: Server, seed: int, log: Path, mutant: str | None = None, pooler: Pooler | None = None
    ) -> None:
        self.server = server
        self.url = server.url()
        self.pooler = pooler
        self.strangers: Strangers | None = None
        self.rng = random.Random(seed)
        self.counts: Counter[str] = Counter()
        environment = {
            "DATABASE_URL": pooler.url if pooler else self.url,
            "DATABASE_DIRECT_URL": self.url if pooler else "",
            "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
            **domain.environment(),
            **({"CHAOS_MUTANT": mutant} if mutant else {}),
        }
        self._zygote = Zygote(environment, log)
        self._workers: list[int] = []
        self._work_of: dict[int, tuple[str, ...]] = {}
        self._others: dict[tuple[str, ...], int] = dict.fromkeys(domain.others(seed), 0)
        self._reclaimer: int | None = None
        # Until when, and the jobs that they held by lease only.
        self._frozen: dict[int, tuple[float, set[int]]] = {}

    def start(self, *arguments: str) -> int:
        """A manage.py command as a process; returns its pid."""
        is_direct = self.pooler is None or self.rng.random() < 0.5
        return self._zygote.start(*arguments, name="chaos {pid}", is_direct=is_direct)

    def keep_workers(self) -> None:
        """Replace workers that have ended; most of them share a name, as those of a deployment may."""
        self._workers = [pid for pid in self._workers if is_alive(pid)]
        for work in (Counter(WORKS) - Counter(self._work_of[pid] for pid in self._workers)).elements():
            name = ["--worker-id", "shared name"] if self.rng.random() < 0.8 else []
            pid = self.start(*work, *name)
            self._workers.append(pid)
            self._work_of[pid] = work
        for other, pid in self._others.items():
            if not pid or not is_alive(pid):
                self._others[other] = self.start(*other)
        if self._reclaimer is None or not is_alive(self._reclaimer):
            self._reclaimer = self.start("reclaim_stuck_jobs", "--loop", "--interval", "0.2")

    def act(self) -> None:
        """One bad thing."""
        actions = {
            self.kill: 4,
            self.freeze: 4,
            self.disconnect: 3,
            self.ask_to_stop: 2,
            self.storm: 1,
            self.kill_reclaimer: 2,
            self.kill_other: 1,
        }
        action = self.rng.choices(list(actions), list(actions.values()))[0]
        self.counts[action.__name__] += 1
        action()

    def kill(self) -> None:
        send_signal(self.rng.choice(self._workers), signal.SIGKILL)

    def freeze(self) -> None:
        """One or more at once: the others take over, and are at it when these wake up."""
        count = self.rng.randint(1, len(WORKS) - 1)
        held = {pid: jobs for pid, jobs in self._held_by_lease_only().items() if pid not in self._frozen}
        for pid in list(held)[:count] or self.rng.sample(self._workers, count):
            send_signal(pid, signal.SIGSTOP)
            self._frozen[pid] = time.monotonic() + self.rng.choice(FREEZE_S), held.get(pid, set())

    def _held_by_lease_only(self) -> dict[int, set[int]]:
        """By worker, those with the most jobs first."""
        with suppress(psycopg.Error), psycopg.connect(self.url) as connection:
            holders = connection.execute(HOLD_BY_LEASE_ONLY).fetchall()
            return {pid: set(jobs) for pid, jobs in holders if pid in self._workers}
        return {}

    def thaw(self, *, all_of_them: bool = False) -> None:
        """Wake those that have been frozen long enough, and those whose jobs others have and only a lease protects."""
        held = self._held_by_lease_only() if any(jobs for _, jobs in self._frozen.values()) else {}
        at_risk = {job for pid, jobs in held.items() if pid not in self._frozen for job in jobs}
        for pid, (until, jobs) in list(self._frozen.items()):
            if all_of_them or time.monotonic() >= until or jobs & at_risk:
                self.counts["woken while others are at it"] += bool(jobs & at_risk)
                send_signal(pid, signal.SIGCONT)
                del self._frozen[pid]

    def disconnect(self) -> None:
        """End a session of a worker: the one it works on, or the one that shows its presence."""
        try:
            with psycopg.connect(self.url, autocommit=True) as connection:
                pids = [
                    pid
                    for (pid,) in connection.execute(
                        "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'chaos %' ORDER BY pid"
                    )
                ]
                if pids:
                    connection.execute("SELECT pg_terminate_backend(%s)", [self.rng.choice(pids)])
        except psycopg.Error:
            self.counts["monkey disconnected"] += 1

    def ask_to_stop(self) -> None:
        send_signal(self.rng.choice(self._workers), signal.SIGTERM)

    def storm(self) -> None:
        """SIGTERM to all, twice to some."""
        for pid in self._workers:
            for _ in range(self.rng.randint(1, 3)):
                send_signal(pid, signal.SIGTERM)

    def kill_reclaimer(self) -> None:
        if self._reclaimer is not None:
            send_signal(self._reclaimer, signal.SIGKILL)

    def kill_other(self) -> None:
        """People's process or the JSON Generator."""
        send_signal(self.rng.choice(list(self._others.values())), signal.SIGKILL)

    def send_people_home(self) -> None:
        """Nobody decides any more; the JSON Generator goes on."""
        for other in [other for other in self._others if other[0] == "chaos_staff"]:
            pid = self._others.pop(other)
            send_signal(pid, signal.SIGKILL)

    def restart_pooler(self) -> None:
        assert self.pooler is not None
        self.counts["restart_pooler"] += 1
        self.pooler.kill()
        self.pooler.start()

    def bring_strangers(self) -> None:
        """They take all connections of the server, until they are sent away."""
        self.counts["bring_strangers"] += 1
        self.strangers = Strangers(self.url)
        self.strangers.start()

    def send_strangers_away(self) -> None:
        if self.strangers is not None:
            self.strangers.go()

    def restart_server(self) -> None:
        self.counts["restart_server"] += 1
        self.server.restart("immediate")

    def end(self) -> None:
        """Kill all processes of this run."""
        self.send_strangers_away()
        for pid in [*self._workers, self._reclaimer, *self._others.values()]:
            if pid:
                send_signal(pid, signal.SIGKILL)
        self._zygote.end()
