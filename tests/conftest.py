"""Fixtures of all tests. They run on a real PostgreSQL: DATABASE_URL, or the embedded one, which is started here."""

import os
import subprocess
import sys
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.conf import settings
from django.db import connection

from config.embedded_postgres.server import Server
from tests.support.project import PROJECT


@pytest.fixture(scope="session")
def django_db_modify_db_settings():
    """Runs before pytest-django makes the test database."""
    if settings.USES_EMBEDDED_DATABASE:
        Server.of_project(settings.BASE_DIR).start()


@pytest.fixture
def command_environment(transactional_db):
    """The environment in which a manage.py command works on the test database."""
    parts = urlsplit(settings.DATABASE_URL)
    url = urlunsplit(parts._replace(path="/" + connection.settings_dict["NAME"]))
    # Buffered as it is for most people, whatever the environment of the tests says.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return {**environment, "DATABASE_URL": url, "DEBUG": "on", "DJANGO_SETTINGS_MODULE": "config.settings"}


@pytest.fixture
def start_command(command_environment):
    """Starts a manage.py command as a process on the test database; whatever still runs is killed at the end."""
    started = []

    def start(*arguments, **environment):
        process = subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=PROJECT,
            env=command_environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def run_command(start_command):
    """Runs a manage.py command to its end; returns (exit code, stdout, stderr)."""

    def run(*arguments, **environment):
        process = start_command(*arguments, **environment)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    return run
