"""Integration, and workers, that find whichever of several servers takes writes."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg

from tests.support.cluster import USER, Server
from tests.support.meanwhile import Meanwhile
from tests.support.project import PROJECT
from tests.support.rows import esmd

DATABASE = "failover"
INSERT = "INSERT INTO integration_send_serviceops (decision_tracking_id, payload) VALUES (%s, %s)"


def environment_of(*servers: Server) -> dict[str, str]:
    """The environment of a process that works on the one of these servers that takes writes."""
    hosts = ",".join(f"127.0.0.1:{server.port}" for server in servers)
    url = f"postgresql://{USER}@{hosts}/{DATABASE}?target_session_attrs=read-write"
    return {**os.environ, "DATABASE_URL": url, "DEBUG": "on", "DJANGO_SETTINGS_MODULE": "config.settings"}


def make_database(server: Server) -> None:
    """Start the server with a migrated database."""
    server.make()
    with server.connect() as raw:
        raw.execute(f"CREATE DATABASE {DATABASE}")
    manage("migrate", "-v", "0", environment=environment_of(server))


def manage(*arguments: str, environment: dict[str, str]) -> str:
    """Run a command to its end; returns what it printed. Fails with its output if it fails."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@contextmanager
def running(*commands: str, environment: dict[str, str]):
    """Each command as a process, for the time of the block; gives the processes."""
    processes = [
        subprocess.Popen(
            [sys.executable, "manage.py", *command.split()],
            cwd=PROJECT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for command in commands
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


class Integration(Meanwhile):
    """Sends messages, one transaction each, to whichever server takes them; knows which were acknowledged, and when."""

    def __init__(self, *servers: Server) -> None:
        super().__init__()
        self.address: dict[str, Any] = {
            "host": ",".join("127.0.0.1" for _ in servers),
            "port": ",".join(str(server.port) for server in servers),
            "user": USER,
            "dbname": DATABASE,
            "target_session_attrs": "read-write",
            "connect_timeout": 2,
            "autocommit": True,
        }
        self.acknowledged: dict[UUID, float] = {}

    def count_since(self, moment: float) -> int:
        """How many were acknowledged later than that."""
        return sum(at > moment for at in list(self.acknowledged.values()))

    def run(self) -> None:
        while not self.is_over.is_set():
            try:
                with psycopg.connect(**self.address) as raw:
                    while not self.is_over.is_set():
                        tracking_id = uuid4()
                        raw.execute(INSERT, [tracking_id, json.dumps(esmd())])
                        self.acknowledged[tracking_id] = time.monotonic()
                        self.is_over.wait(0.005)
            except psycopg.OperationalError:
                self.is_over.wait(0.05)

    def send_again(self, since: float) -> int:
        """Send all that were acknowledged later than that once more; returns how many they are."""
        again = [tracking_id for tracking_id, at in self.acknowledged.items() if at > since]
        with psycopg.connect(**self.address) as raw, raw.cursor() as cursor:
            cursor.executemany(INSERT, [(tracking_id, json.dumps(esmd())) for tracking_id in again])
        return len(again)
