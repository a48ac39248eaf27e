"""Embedded PostgreSQL servers of a test's own: questions to them, and what a crash leaves of them."""

import os
from pathlib import Path

import psutil
import psycopg

from config.embedded_postgres.private_folder import make_private

START_WHEN_TOLD = """
import sys
from pathlib import Path
import psycopg
from config.embedded_postgres.server import Server
server = Server(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
started = server.start()
psycopg.connect(server.url()).close()
print(started)
"""


def ask(server, statement):
    """Run a statement; returns the first value of its result, if it has one."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        cursor = connection.execute(statement)
        rows = cursor.fetchall() if cursor.description else []
    return rows[0][0] if rows else None


def postmaster(server):
    """The pid of the running server."""
    return int((server.data / "postmaster.pid").read_text().split()[0])


def leave_stale_lock_files(server, pid):
    """Leave the files of a killed server whose pid now belongs to another process."""
    owner = server.home.stat()
    make_private(server.socket_dir)
    in_data = f"{pid}\n{server.data}\n1700000000\n5432\n../socket\n\n  1234567         7\nready   \n"
    for path in (server.data / "postmaster.pid", server.socket_dir / ".s.PGSQL.5432.lock"):
        path.write_text(in_data)
        os.chown(path, owner.st_uid, owner.st_gid)


def waits_for(child, lock):
    """True if the process waits for the lock on this open file."""
    waiters = [line.split() for line in Path("/proc/locks").read_text().splitlines() if "->" in line]
    inode = str(os.fstat(lock.fileno()).st_ino)
    return any(words[5] == str(child.pid) and words[6].split(":")[2] == inode for words in waiters)


def is_alive(process):
    """A zombie is not alive: it remains where nobody reaps orphans, as in a container without an init."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
