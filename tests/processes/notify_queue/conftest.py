"""A server of its own with a small NOTIFY queue: the project's database, and another one of strangers."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from django.db import connection

from tests.support.cluster import USER, Server, free_ports
from tests.support.project import PROJECT
from tests.support.servers.notify_queue import SMALL, blocked

DATABASE = "serviceops"
STRANGERS = "strangers"


@pytest.fixture(scope="package")
def server():
    with TemporaryDirectory(prefix="notify-queue-") as folder:
        # The server may run as another user, who has to get through.
        Path(folder).chmod(0o711)
        made = Server(Path(folder) / "server", free_ports(1)[0], **SMALL, max_prepared_transactions="2", fsync="off")
        try:
            made.make()
            with made.connect() as raw:
                raw.execute(f"CREATE DATABASE {DATABASE}")
                raw.execute(f"CREATE DATABASE {STRANGERS}")
            subprocess.run(
                [sys.executable, "manage.py", "migrate", "-v", "0"], cwd=PROJECT, env=environment_of(made), check=True
            )
            yield made
        finally:
            made.stop()


def environment_of(server):
    url = f"postgresql://{USER}@127.0.0.1:{server.port}/{DATABASE}"
    return {**os.environ, "DATABASE_URL": url, "DEBUG": "on", "DJANGO_SETTINGS_MODULE": "config.settings"}


@pytest.fixture
def here(server, django_db_blocker):
    """Lead Django's connection to that server; yields a session of somebody else in the project's database."""
    before = dict(connection.settings_dict)
    connection.close()
    connection.settings_dict |= {"HOST": "127.0.0.1", "PORT": server.port, "USER": USER, "NAME": DATABASE}
    try:
        with django_db_blocker.unblock(), server.connect(DATABASE) as raw:
            yield raw
            connection.close()
    finally:
        connection.settings_dict |= before


@pytest.fixture
def stranger(server):
    """A session in the strangers' database that can be used to notify."""
    with server.connect(STRANGERS) as raw:
        yield raw


@pytest.fixture
def listener(server):
    """The pid of a stranger that listens and stays idle in a transaction."""
    with server.connect(STRANGERS) as raw, blocked(raw) as pid:
        yield pid


@pytest.fixture
def start(server):
    """Starts a manage.py command on that server; whatever still runs is killed at the end."""
    started = []

    def start_one(*arguments, **environment):
        started.append(
            subprocess.Popen(
                [sys.executable, "manage.py", *arguments],
                cwd=PROJECT,
                env=environment_of(server) | environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield start_one
    for process in started:
        process.kill()
        process.communicate()
