"""Fixtures of tests of decisions: a superuser's browser, and pretend JSON Generators with pollers that ask them."""

import socket

import pytest
from django.contrib.auth.models import User

from decisions.pretend.generator import Generator
from inbox.models import InboxWorker
from tests.support.generator import POLLER
from tests.support.probe import wait_until


@pytest.fixture
def generator(transactional_db, settings):
    """Starts a pretend generator that the settings lead to."""
    started = []

    def start(*script, **options):
        served = Generator(script=script, **options)
        started.append(served)
        settings.JSON_GENERATOR_BASE_URL = served.url
        return served.__enter__()

    yield start
    for served in started:
        served.__exit__(None, None, None)


@pytest.fixture
def quick_generator(settings):
    """Short timeouts and retries at once."""
    settings.JSON_GENERATOR_CONNECT_TIMEOUT = 5
    settings.JSON_GENERATOR_READ_TIMEOUT = 0.3
    settings.JSON_GENERATOR_TOTAL_TIMEOUT = 0.8
    settings.INBOX_BACKOFF = (0.001,)


@pytest.fixture
def closed_port():
    """A port of loopback that refuses."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture
def start_poller(start_command):
    """Starts a poller; returns it when it is registered."""

    def start(name, url, *options, **environment):
        poller = start_command(
            POLLER, "--worker-id", name, *options, JSON_GENERATOR_BASE_URL=url, INBOX_BACKOFF="0.1", **environment
        )
        wait_until(lambda: InboxWorker.objects.filter(worker_id=name).exists(), timeout_s=60)
        return poller

    return start


@pytest.fixture
def client(client):
    """The browser of a superuser."""
    client.force_login(User.objects.create_superuser("boss"))
    return client
