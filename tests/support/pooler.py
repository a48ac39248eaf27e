"""A real PgBouncer in transaction mode before a database, set up as deploy/pgbouncer.ini is."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import psycopg
import pytest

from config.embedded_postgres.programs import Launcher, account, launcher
from tests.support.project import PROJECT

ANSWERS_WITHIN_S = 20.0
MISSING = "pgbouncer is not installed: apt-get install pgbouncer"


def find() -> str | None:
    """The path of PgBouncer, if it is installed."""
    return shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")


def need() -> None:
    """Skip the test where PgBouncer is not installed; fail if REQUIRE_PGBOUNCER is set."""
    if find() is None:
        (pytest.fail if os.environ.get("REQUIRE_PGBOUNCER") else pytest.skip)(MISSING)


class Pooler:
    """Listens on a free port of loopback; has at most `size` server connections.

    `home` is the folder of an embedded server, whose socket only its own user can reach. With `is_open`, it leads to
    every database of the server, not to one alone.
    """

    def __init__(
        self, folder: Path, server: dict, size: int = 4, home: Path | None = None, *, is_open: bool = False
    ) -> None:
        self.folder = folder
        self.server = server
        self.size = size
        self.home = home
        self.is_open = is_open
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"postgresql://{server['user']}@127.0.0.1:{self.port}/{server['dbname']}"

    def config(self) -> str:
        given = (PROJECT / "deploy" / "pgbouncer.ini").read_text()
        words = [word for word in ("host", "port", "dbname", "user", "password") if self.server.get(word)]
        if self.is_open:
            words.remove("dbname")
        address = " ".join(f"{word}='{self.server[word]}'" for word in words)
        changed = {
            "serviceops": f"{address} pool_size={self.size} connect_query='{_connect_query(given)}'",
            "listen_addr": "127.0.0.1",
            "listen_port": str(self.port),
            "auth_type": "any",
            "auth_file": "",
            "unix_socket_dir": "",
            "logfile": str(self.folder / "log"),
            "pidfile": str(self.folder / "pid"),
        }
        lines = []
        for line in given.splitlines():
            name = line.partition("=")[0].strip()
            if name == "serviceops":
                lines.append(f"{'*' if self.is_open else self.server['dbname']} = {changed[name]}")
            else:
                lines.append(f"{name} = {changed[name]}" if name in changed else line)
        return "\n".join(lines) + "\n"

    def __enter__(self):
        need()
        (self.folder / "pgbouncer.ini").write_text(self.config())
        if os.geteuid() == 0:
            for item in (self.folder, self.folder / "pgbouncer.ini"):
                os.chown(item, account().uid, account().gid)
        self.start()
        deadline = time.monotonic() + ANSWERS_WITHIN_S
        try:
            while not self.answers():
                assert time.monotonic() < deadline, "pgbouncer does not answer"
                time.sleep(0.01)
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self) -> None:
        """Start the process, and do not wait for it to listen."""
        how = Launcher([], {})
        if self.home:
            how = launcher(self.home)
        elif os.geteuid() == 0:
            how = Launcher([], {"user": account().uid, "group": account().gid, "extra_groups": []})
        self.process = subprocess.Popen(
            [*how.prefix, str(find()), str(self.folder / "pgbouncer.ini")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            # Ctrl-C is for the test only, which ends this.
            process_group=0,
            **how.arguments,
        )

    def kill(self) -> None:
        """End it as a crash does: its clients lose their connections."""
        self.process.kill()
        self.process.wait()

    def answers(self) -> bool:
        """True once it accepts connections; fails with its log if it has ended."""
        log = self.folder / "log"
        assert self.process.poll() is None, log.read_text() if log.exists() else "pgbouncer did not start"
        try:
            psycopg.connect(self.url).close()
        except psycopg.OperationalError:
            return False
        return True

    def __exit__(self, *args):
        self.kill()


def _connect_query(given: str) -> str:
    return given.split("connect_query='")[1].split("'\n")[0]
