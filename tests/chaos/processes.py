"""The project's processes of a run: as many of each command as there should be are kept alive."""

import random
import signal
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.zygote import Zygote, is_alive, send_signal

WORKERS = 4
RECLAIM = ("reclaim_stuck_jobs", "--loop", "--interval", "0.2")


@dataclass
class Group:
    """`count` processes of one command."""

    command: tuple[str, ...]
    count: int
    pids: list[int] = field(default_factory=list)

    def reap(self) -> None:
        self.pids = [pid for pid in self.pids if is_alive(pid)]


class Processes:
    """Starts and keeps them; `commands` are those beside the workers and the reclaimer, and how many of each."""

    def __init__(
        self,
        environment: dict[str, str],
        log: Path,
        rng: random.Random,
        *,
        behind_pooler: bool,
        commands: dict[tuple[str, ...], int],
    ) -> None:
        self._zygote = Zygote(environment, log)
        self._rng = rng
        self._behind_pooler = behind_pooler
        self._reclaimer = Group(RECLAIM, 1)
        self._workers = [Group(("run_inbox_worker",), WORKERS)]
        self._workers += [Group(command, count) for command, count in commands.items()]

    def start(self, *arguments: str) -> int:
        """A manage.py command as a process; returns its pid. Behind a pooler every other one has a direct way too."""
        is_direct = not self._behind_pooler or self._rng.random() < 0.5
        return self._zygote.start(*arguments, name="chaos {pid}", is_direct=is_direct)

    @property
    def workers(self) -> list[int]:
        """The pids of all but the reclaimer."""
        return [pid for group in self._workers for pid in group.pids]

    def keep(self) -> None:
        """Replace those that have ended; most inbox workers share a name, as those of a deployment may."""
        for group in [*self._workers, self._reclaimer]:
            group.reap()
            while len(group.pids) < group.count:
                name = ["--worker-id", "shared name"] if group is self._workers[0] and self._rng.random() < 0.8 else []
                group.pids.append(self.start(*group.command, *name))

    def dismiss(self, command: str) -> None:
        """Kill those that run this command, and start no more."""
        for group in [group for group in self._workers if group.command[0] == command]:
            self._workers.remove(group)
            for pid in group.pids:
                send_signal(pid, signal.SIGKILL)

    def kill_reclaimer(self) -> None:
        for pid in self._reclaimer.pids:
            send_signal(pid, signal.SIGKILL)

    def end(self) -> None:
        """Kill all."""
        for pid in self.workers:
            send_signal(pid, signal.SIGKILL)
        self.kill_reclaimer()
        self._zygote.end()
