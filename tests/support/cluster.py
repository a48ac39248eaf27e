"""Throw-away PostgreSQL servers from the wheel, on loopback: a primary and its synchronous standby."""

import os
import signal
import socket
from pathlib import Path

import psycopg

from config.embedded_postgres.programs import account, binary, launcher, run
from tests.support.servers.waiting import wait_until

USER = "serviceops"
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "fsync": "on",
    "wal_receiver_status_interval": "1",
}


def free_ports(count: int) -> list[int]:
    """Ports of loopback that are free now."""
    taken = [socket.socket() for _ in range(count)]
    for one in taken:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in taken]
    for one in taken:
        one.close()
    return ports


def make_folder(folder: Path) -> None:
    """A folder that servers may write to."""
    folder.mkdir()
    if os.geteuid() == 0:
        os.chown(folder, account().uid, account().gid)


class Server:
    """One server with its data below `folder`; `options` are settings of postgresql.conf, beside OPTIONS."""

    def __init__(self, folder: Path, port: int, **options: str) -> None:
        self.folder = folder
        self.port = port
        self.options = {**OPTIONS, **options, "port": str(port)}
        self.data = folder / "data"
        self.log = folder / "log"
        make_folder(folder)

    def program(self, name: str, *arguments: str | Path) -> None:
        """Run a program of PostgreSQL as the user of the server; fails with its output."""
        done = run(launcher(self.folder), [binary(name), *arguments])
        assert done.returncode == 0, done.stdout

    def start(self) -> None:
        options = " ".join(f"-c {name}='{value}'" for name, value in self.options.items())
        self.program("pg_ctl", "-D", self.data, "-w", "-l", self.log, "-o", options, "start")

    def make(self) -> None:
        """Create the data folder and start."""
        self.program("initdb", "--no-sync", "--auth=trust", "-U", USER, "-E", "UTF8", "--locale=C", "-D", self.data)
        self.start()

    def copy(self, primary: "Server") -> None:
        """Become the standby of `primary`."""
        self.back_up(primary, "-R")
        self.start()

    def back_up(self, primary: "Server", *options: str) -> None:
        """Take a backup of `primary` into this server's folder, and don't start."""
        at = ("-h", "127.0.0.1", "-p", str(primary.port), "-U", USER)
        self.program("pg_basebackup", *at, "-D", self.data, "-X", "stream", "-c", "fast", "--no-sync", *options)

    def restore(self, archive: Path, point: str) -> None:
        """Start on the backup, go on with the archived WAL to that restore point, and take writes from there."""
        (self.data / "recovery.signal").touch()
        self.options |= {
            "restore_command": f"cp {archive}/%f %p",
            "recovery_target_name": point,
            "recovery_target_action": "promote",
        }
        self.start()

    def kill(self) -> None:
        """Kill all its processes at once, as if its machine had died."""
        postmaster = int((self.data / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        for pid in [postmaster, *map(int, children)]:
            os.kill(pid, signal.SIGKILL)

    def promote(self) -> None:
        self.program("pg_ctl", "-D", self.data, "-w", "promote")

    def part_from_primary(self) -> None:
        """Cut this standby off from its primary, as if the network between them had died."""
        with self.connect() as raw:
            raw.execute("ALTER SYSTEM SET primary_conninfo = ''")
            raw.execute("SELECT pg_reload_conf()")
            wait_until(lambda: raw.execute("SELECT count(*) FROM pg_stat_wal_receiver").fetchone() == (0,))

    def stop(self) -> None:
        if (self.data / "postmaster.pid").exists():
            run(launcher(self.folder), [binary("pg_ctl"), "-D", self.data, "-m", "immediate", "-w", "stop"])

    def connect(self, dbname: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(host="127.0.0.1", port=self.port, user=USER, dbname=dbname, autocommit=True)


def follow_synchronously(primary: Server) -> None:
    """Make every COMMIT of the primary wait until its standby has it."""
    with primary.connect() as raw:
        raw.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        raw.execute("SELECT pg_reload_conf()")

        def is_synchronous():
            row = raw.execute("SELECT sync_state FROM pg_stat_replication").fetchone()
            return row is not None and row[0] in ("sync", "quorum")

        wait_until(is_synchronous)
