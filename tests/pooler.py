"""A real PgBouncer in transaction mode before the test database, set up as deploy/pgbouncer.ini is."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

import psycopg
import pytest
from django.conf import settings

from config import devdb
from config.devdb_programs import Launcher, account, launcher
from tests.conftest import PROJECT
from tests.probe import wait_until


def program() -> str:
    """Skips the test where PgBouncer is not installed; where it has to be, fails."""
    found = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        say = pytest.fail if os.environ.get("REQUIRE_PGBOUNCER") else pytest.skip
        say("pgbouncer is not installed: apt-get install pgbouncer")
    return found


class Pooler:
    """Listens on a free port of loopback; has at most `size` server connections."""

    def __init__(self, folder: Path, server: dict, size: int = 4) -> None:
        self.folder = folder
        self.server = server
        self.size = size
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"postgresql://{server['user']}@127.0.0.1:{self.port}/{server['dbname']}"

    def config(self) -> str:
        given = (PROJECT / "deploy" / "pgbouncer.ini").read_text()
        names = {"host": "host", "port": "port", "dbname": "dbname", "user": "user", "password": "password"}
        address = " ".join(f"{word}='{self.server[name]}'" for word, name in names.items() if self.server.get(name))
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
                lines.append(f"{self.server['dbname']} = {changed[name]}")
            else:
                lines.append(f"{name} = {changed[name]}" if name in changed else line)
        return "\n".join(lines) + "\n"

    def __enter__(self):
        path = self.folder / "pgbouncer.ini"
        path.write_text(self.config())
        how = Launcher([], {})
        if os.geteuid() == 0:
            name, uid, gid = account()
            for item in (self.folder, path):
                os.chown(item, uid, gid)
            if settings.USES_EMBEDDED_DATABASE:
                how = launcher(devdb.server(settings.BASE_DIR).home)
            else:
                how = Launcher([], {"user": uid, "group": gid, "extra_groups": []})
        self.process = subprocess.Popen(
            [*how.prefix, program(), str(path)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            **how.arguments,
        )
        try:
            wait_until(self.answers)
        except BaseException:
            self.__exit__()
            raise
        return self

    def answers(self) -> bool:
        log = self.folder / "log"
        assert self.process.poll() is None, log.read_text() if log.exists() else "pgbouncer did not start"
        try:
            psycopg.connect(self.url).close()
        except psycopg.OperationalError:
            return False
        return True

    def __exit__(self, *args):
        self.process.kill()
        self.process.wait()


def _connect_query(given: str) -> str:
    return given.split("connect_query='")[1].split("'\n")[0]
