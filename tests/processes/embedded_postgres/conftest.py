"""Fixtures of tests with real processes: an embedded PostgreSQL of the test's own."""

import os
import shutil
import subprocess
import sys
from contextlib import ExitStack

import pytest

from config.embedded_postgres.server import Server
from tests.support.embedded_server import START_WHEN_TOLD
from tests.support.project import PROJECT


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path / ".postgres")
    yield server
    if server.home.exists():
        server.stop()
    shutil.rmtree(server.socket_dir, ignore_errors=True)


@pytest.fixture
def other_program(server):
    """A program that has nothing to do with PostgreSQL, of the user whom the server runs as."""
    server.start()
    server.stop()
    owner = server.home.stat()
    identity = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    process = subprocess.Popen(["/bin/sleep", "600"], cwd="/", **identity)
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def child_that_starts(server):
    """Makes commands of their own that start the server when they read a line; none outlives its test."""
    with ExitStack() as stack:

        def make(**arguments):
            child = subprocess.Popen(
                [sys.executable, "-c", START_WHEN_TOLD, server.home],
                cwd=PROJECT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                **arguments,
            )
            stack.enter_context(child)
            stack.callback(child.kill)
            assert child.stdout
            assert child.stdout.readline() == "ready\n"
            return child

        yield make
