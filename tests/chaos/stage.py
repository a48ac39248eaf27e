"""Where a run takes place: a primary and its synchronous standby, each behind a network of its own, and a pooler.

All processes of the project reach the servers through the networks (proxies that can be cut), by an address that lists
both; behind a pooler, half of them reach it only. The test's own programs reach the servers directly.
"""

import os
import shutil
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import psycopg

from config.embedded_postgres.programs import binary
from tests.support.cluster import USER, Server, follow_synchronously, free_ports
from tests.support.pooler import Pooler
from tests.support.servers import clock, disk
from tests.support.servers.clock import ShiftedServer
from tests.support.servers.disk import Disk
from tests.support.servers.notify_queue import SMALL
from tests.support.servers.proxy import Proxy

DATABASE = "chaos"
# Few enough that strangers take all of them at once; more than all who belong to a run ever have.
CONNECTIONS = 60
POOL_SIZE = 30
# Recovery after a crash included.
ANSWERS_WITHIN_S = 60.0
FIRST_WITH_NOTIFY_QUEUE_PAGES = 17
OPTIONS = {
    "max_connections": str(CONNECTIONS),
    # A standby that has lost its primary is back soon: COMMIT waits for it.
    "wal_retrieve_retry_interval": "200ms",
    "wal_keep_size": "256MB",
    "max_wal_size": "512MB",
    # Giant messages stay out of the log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


class Stage:
    """The servers of one run, below `folder`. Where the machine can, they run out of disk, and have clocks to shift."""

    def __init__(
        self, folder: Path, *, behind_pooler: bool = False, has_disks: bool = False, has_clocks: bool = False
    ) -> None:
        self.folder = folder
        self.has_disks = has_disks and disk.is_possible()
        self.has_clocks = has_clocks and clock.find() is not None
        self.has_small_notify_queue = _version() >= FIRST_WITH_NOTIFY_QUEUE_PAGES
        self.behind_pooler = behind_pooler
        self.pooler: Pooler | None = None
        self._ends = ExitStack()
        self._disks: dict[Server, Disk] = {}

    def __enter__(self) -> "Stage":
        with self._ends as ends:
            # The servers may run as another user, who has to get through.
            self.folder.chmod(0o711)
            self.primary, self.standby = (
                self._server(name, port) for name, port in zip(["first", "second"], free_ports(2), strict=True)
            )
            self._servers = [self.primary, self.standby]
            self.primary.make()
            with self.primary.connect() as raw:
                raw.execute(f"CREATE DATABASE {DATABASE}")
            self.standby.copy(self.primary)
            follow_synchronously(self.primary)
            self._proxies = [Proxy(server.port) for server in self._servers]
            self._to_primary = Proxy(self.primary.port)
            self.networks = [*self._proxies, self._to_primary]
            for network in self.networks:
                ends.callback(network.end)
            if self.behind_pooler:
                self.pooler = ends.enter_context(self._pooler())
            self._ends = ends.pop_all()
        return self

    def __exit__(self, *args) -> None:
        self._ends.close()

    def _server(self, name: str, port: int) -> Server:
        folder = self.folder / name
        if self.has_disks:
            its_disk = Disk(self.folder / f"disk of {name}".replace(" ", "-"))
            its_disk.mount()
            self._ends.callback(its_disk.end)
            folder = its_disk.folder / name
        server = (ShiftedServer if self.has_clocks else Server)(
            folder, port, **OPTIONS, **(SMALL if self.has_small_notify_queue else {})
        )
        self._ends.callback(server.stop)
        if self.has_disks:
            self._disks[server] = its_disk
        return server

    def _pooler(self) -> Pooler:
        folder = self.folder / "pooler"
        folder.mkdir()
        address = {"host": "127.0.0.1", "port": self._to_primary.port, "dbname": DATABASE, "user": USER}
        return Pooler(folder, address, size=POOL_SIZE)

    @property
    def url(self) -> str:
        """The address for the test's own programs, which no network lies before."""
        return _url(*(server.port for server in self._servers))

    @property
    def direct_url(self) -> str:
        """The address of the servers for the project's processes."""
        return _url(*(proxy.port for proxy in self._proxies))

    @property
    def their_url(self) -> str:
        """The DATABASE_URL of the project's processes."""
        return self.pooler.url if self.pooler else self.direct_url

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(self.url, autocommit=True)

    def restart(self) -> None:
        """Crash the primary and start it."""
        self.primary.stop()
        self.primary.start()

    def wait_until_it_answers(self) -> None:
        """Until the primary takes connections, or says that it has none left; start it if it has ended."""
        deadline = time.monotonic() + ANSWERS_WITHIN_S
        while time.monotonic() < deadline:
            try:
                self.connect().close()
                return
            except psycopg.OperationalError as error:
                # Strangers have all connections, for as long as the one who waits here does not send them away.
                if "too many clients" in str(error):
                    return
            if not self._is_up():
                self.primary.start()
            time.sleep(0.05)
        raise AssertionError(f"the server does not answer: {self.primary.log.read_text()[-2000:]}")

    def _is_up(self) -> bool:
        try:
            os.kill(int((self.primary.data / "postmaster.pid").read_text().split()[0]), 0)
        except (OSError, ValueError, IndexError):
            return False
        return True

    def fail_over(self) -> None:
        """Kill the primary and promote its standby; what is left of the primary becomes the new standby."""
        gone = self.primary
        gone.kill()
        self.standby.promote()
        self.primary, self.standby = self.standby, gone
        self._to_primary.tell("lead", self.primary.port)
        shutil.rmtree(gone.data)
        gone.copy(self.primary)
        self._follow()

    def _follow(self) -> None:
        """Let the primary wait for its standby, however often strangers end the session that says so."""
        deadline = time.monotonic() + ANSWERS_WITHIN_S
        while True:
            try:
                follow_synchronously(self.primary)
            except psycopg.Error:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def fill_disk(self) -> Disk:
        """Make the disk of the primary full; returns the disk."""
        full = self._disks[self.primary]
        full.fill()
        return full

    def shift_clock(self, seconds: float) -> ShiftedServer:
        """Set the clock of the primary so far ahead; below 0, behind. Returns the server."""
        assert isinstance(self.primary, ShiftedServer)
        self.primary.shift(seconds)
        return self.primary

    def keep(self, folder: Path) -> None:
        """Copy the logs of the servers, and what the database holds, to this folder."""
        for server in self._servers:
            shutil.copy(server.log, folder / f"{server.folder.name}.log")
        address = ["-h", "127.0.0.1", "-p", str(self.primary.port), "-U", USER, "-d", DATABASE]
        with (folder / "database.sql").open("w") as dump:
            subprocess.run([binary("pg_dump"), *address], stdout=dump, check=True)

    def count_in_logs(self, words: str) -> int:
        """How many lines of the servers' logs have these words."""
        return sum(server.log.read_text(errors="replace").count(words) for server in self._servers)


def _version() -> int:
    """The major version of the servers."""
    words = subprocess.run([binary("postgres"), "--version"], capture_output=True, text=True, check=True).stdout.split()
    return int(words[2].split(".")[0])


def _url(*ports: int) -> str:
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    return f"postgresql://{USER}@{hosts}/{DATABASE}?target_session_attrs=read-write&connect_timeout=3"
