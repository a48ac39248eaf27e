"""A server whose clock can be shifted, and worker processes on it."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.cluster import USER, free_ports
from tests.support.probe import wait_until
from tests.support.project import PROJECT
from tests.support.servers.clock import ShiftedServer, need
from tests.support.zygote import Zygote, is_alive, send_signal


@pytest.fixture(scope="module")
def server():
    need()
    with TemporaryDirectory(prefix="clock-") as folder:
        # The server may run as another user, who has to get through.
        Path(folder).chmod(0o711)
        server = ShiftedServer(Path(folder) / "server", *free_ports(1))
        try:
            server.make()
            yield server
        finally:
            server.stop()


class Processes:
    """Worker processes on the server; `log` is what they said."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.log = log
        self._zygote = Zygote(environment, log)
        self.pids: list[int] = []

    def start(self, *commands: str) -> None:
        """Start these worker commands as processes."""
        self.pids += [self._zygote.start(command, name=command) for command in commands]

    def end(self, number: int = signal.SIGTERM) -> None:
        """End them all by a signal, and wait until they are gone."""
        for pid in self.pids:
            send_signal(pid, number)
        wait_until(lambda: not any(map(is_alive, self.pids)))
        self.pids = []

    def close(self) -> None:
        """Leave none behind."""
        self.end(signal.SIGKILL)
        self._zygote.end()


@pytest.fixture(scope="module")
def processes(server):
    url = f"postgresql://{USER}@127.0.0.1:{server.port}/postgres"
    settings = {"DATABASE_URL": url, "DEBUG": "on", "DJANGO_SETTINGS_MODULE": "config.settings"}
    migrate = [sys.executable, "manage.py", "migrate", "-v", "0"]
    subprocess.run(migrate, cwd=PROJECT, env=os.environ | settings, check=True)
    processes = Processes(settings, server.folder / "processes.log")
    yield processes
    processes.close()
