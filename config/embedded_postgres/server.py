"""The embedded PostgreSQL of development: a private server for one checkout, in its `.postgres` folder.

The settings use it when DATABASE_URL is unset and DEBUG is on; nothing here reads a setting. The server listens on a
unix socket only, trusts everyone who can reach it (the socket's folder is private) and keeps running until `stop`.

    .postgres/data         the cluster; nothing in it depends on where the project lies
    .postgres/socket       the socket, or /tmp/serviceops-<uid>-<hash> when that path is too long for a socket
    .postgres/server.log   what the server and pg_ctl's start wrote
    .postgres/lock         flocked while somebody starts, stops or restarts the server

Each failure raises DevDbError with a text that says what to do: the wheel is not installed, `.postgres` or the
socket's folder belongs to somebody else, the server does not come up (the end of its log is in the text), or one that
does not answer holds the data. `start` repairs a killed server, a stale postmaster.pid (even one whose pid now is
another program's), a half-made cluster, and a copied, moved or removed `.postgres`.
"""

import hashlib
import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Self
from urllib.parse import quote

from config.embedded_postgres.cluster import DATABASE, USER, create_cluster
from config.embedded_postgres.private_folder import exists, is_private, locked, make_private
from config.embedded_postgres.processes import postmaster_of, processes_in, tell_to_exit, works_in_removed_folder
from config.embedded_postgres.programs import OR_ELSE, DevDbError, binary, environment, launcher, run

PORT = 5432  # only names the socket file; given everywhere, so that a PGPORT in the environment changes nothing
SOCKET_FILE = f".s.PGSQL.{PORT}"
LONGEST_SOCKET_PATH = 103  # bytes: sun_path holds 108 on Linux, 104 on macOS, with a zero at the end
TIMEOUT_S = 120  # for PostgreSQL to start (crash recovery included), to stop, or to let go of the data
ORPHANS_LEAVE_WITHIN_S = 5  # an idle backend leaves a dead postmaster at once, a busy one may never do
SERVER_OPTIONS = {
    "listen_addresses": "''",
    "unix_socket_permissions": "0700",
    "max_connections": "230",
    "shared_buffers": "256MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "client_connection_check_interval": "2s",
    # Statements and details hold values of messages; errors are logged without them.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


class Server:
    """One PostgreSQL in the folder `home`. Making the object, `url` and `socket_dir` touch no disk and no server."""

    def __init__(self, home: Path) -> None:
        self.home = Path(os.path.abspath(home))
        self.data = self.home / "data"
        self.log = self.home / "server.log"

    @classmethod
    def of_project(cls, base_dir: Path) -> Self:
        """The embedded server of the project in `base_dir`. Touches nothing."""
        return cls(base_dir / ".postgres")

    @property
    def socket_dir(self) -> Path:
        """The folder of the socket: in `home` when the path is short enough, else in /tmp.

        Not tempfile.gettempdir(): two shells with a different TMPDIR would look for one server in two places.
        """
        inside = self.home / "socket"
        if len(os.fsencode(inside / SOCKET_FILE)) <= LONGEST_SOCKET_PATH:
            return inside
        name = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        return Path(f"/tmp/serviceops-{os.geteuid()}-{name}")  # noqa: S108 - make_private makes it private or refuses it

    def url(self, database: str = DATABASE) -> str:
        """The address for psycopg, psql and django-environ."""
        folder = quote(os.fsencode(self.socket_dir), safe="")
        return f"postgresql://{USER}@/{quote(database, safe='')}?host={folder}&port={PORT}"

    def is_running(self) -> bool:
        """Whether the server answers, by pg_isready. Raises DevDbError when `home` belongs to somebody else."""
        if not (exists(self.home) and is_private(self.socket_dir) and (self.data / "postmaster.pid").exists()):
            return False  # a server whose data were removed may answer for a minute more: it is not ours any more
        address = ["-h", str(self.socket_dir), "-p", str(PORT), "-U", USER, "-d", "postgres"]
        command = [str(binary("pg_isready")), "-q", "-t", "3", *address]
        return subprocess.run(command, env=environment(), check=False).returncode == 0

    def status(self) -> dict[str, str]:
        """What `manage.py devdb status` shows; the pid is "-" if no verified server process is there."""
        state = "running" if self.is_running() else "not running"
        return {"state": state, "pid": str(self._postmaster() or "-"), "url": self.url(), "log": str(self.log)}

    def start(self) -> bool:
        """Make the server answer, and its database exist. True if this call started it, False if it was answering."""
        if self.is_running():
            return False
        with locked(self.home):
            if self.is_running():
                return False
            make_private(self.home)
            make_private(self.socket_dir)
            if not self.data.exists():
                create_cluster(self.data)
            make_private(self.data)
            if self._came_up_while_waiting():
                return False
            # PostgreSQL refuses to start if a pid in these has become another program's. No process holds the data.
            for path in (self.data / "postmaster.pid", self.socket_dir / f"{SOCKET_FILE}.lock"):
                path.unlink(missing_ok=True)
            self._pg_ctl("start", "-o", self._server_options())
            self._ensure_database()
            return True

    def stop(self) -> bool:
        """Shut the server down (fast: sessions are ended). False if it was not running."""
        if not exists(self.home):
            return False
        with locked(self.home):
            if self._postmaster() is None:
                if self.is_running():
                    raise DevDbError(
                        f"The server in {self.home} answers, but its process cannot be seen from here. {OR_ELSE}"
                    )
                return False
            self._pg_ctl("stop", "-m", "fast")
            if self.socket_dir.parent != self.home:
                with suppress(OSError):
                    self.socket_dir.rmdir()
            return True

    def restart(self, mode: str = "fast") -> None:
        """Restart a running server; mode `immediate` is a crash followed by recovery. For tests."""
        with locked(self.home):
            if self._postmaster() is None:
                raise DevDbError(f"No server runs in {self.home}. Start it: python manage.py devdb start")
            self._pg_ctl("restart", "-m", mode)

    def _postmaster(self) -> int | None:
        return postmaster_of(self.data)

    def _came_up_while_waiting(self) -> bool:
        """Wait for processes that hold the data: a server in recovery will answer, backends of a killed one leave.

        Backends without a postmaster that don't leave, or whose folder was removed, are told to exit as after a crash.
        """
        began = time.monotonic()
        while holders := processes_in(self.data):
            if self.is_running():
                return True
            waited_s = time.monotonic() - began
            are_orphans = waited_s > ORPHANS_LEAVE_WITHIN_S and self._postmaster() is None
            for process in holders:
                if are_orphans or works_in_removed_folder(process):
                    tell_to_exit(process)
            if waited_s > TIMEOUT_S:
                pids = ", ".join(str(process.pid) for process in holders)
                raise DevDbError(
                    f"PostgreSQL processes ({pids}) hold {self.data} but do not answer after {TIMEOUT_S} s. "
                    f"Type: python manage.py devdb stop, then start again.{self._log_tail()}"
                )
            time.sleep(0.05)
        return False

    def _server_options(self) -> str:
        """Options for the shell that pg_ctl uses. The socket's path is relative to `data` where that is possible:

        so it moves with the folder, and a server whose folder was removed cannot remove its successor's socket.
        """
        inside = self.socket_dir.parent == self.home
        options = SERVER_OPTIONS | {"unix_socket_directories": "../socket" if inside else str(self.socket_dir)}
        return f"-p {PORT} " + " ".join(f"-c {name}={value}" for name, value in options.items())

    def _pg_ctl(self, action: str, *arguments: str) -> None:
        """The caller has verified the pid in postmaster.pid, or removed the file: pg_ctl trusts it."""
        options = ["-D", str(self.data), "-l", str(self.log), "-w", "-t", str(TIMEOUT_S)]
        result = run(launcher(self.home), [binary("pg_ctl"), action, *arguments, *options])
        if result.returncode != 0:
            raise DevDbError(
                f"pg_ctl {action} failed in {self.home}: {result.stdout.strip()}{self._log_tail()}\n"
                f"If nothing helps, start over with an empty database: rm -r {self.home}"
            )

    def _ensure_database(self) -> None:
        """Make the database again if somebody has dropped it."""
        import psycopg

        try:
            with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
                if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchall():
                    connection.execute(f"CREATE DATABASE {DATABASE}")
        except psycopg.Error as error:
            raise DevDbError(f"The server in {self.home} refuses work: {error}{self._log_tail()}") from error

    def _log_tail(self, lines: int = 15) -> str:
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, self.log.stat().st_size - 8192))
                tail = log.read().decode(errors="replace").splitlines()[-lines:]
        except OSError:
            return ""
        return "\n".join([f"\nThe end of {self.log}:", *tail])
