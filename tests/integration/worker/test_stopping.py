"""A signal while the process connects to a database that accepts and never answers."""

import os
import signal
import socket
from threading import Thread

import pytest
from django.db import OperationalError, connection

from inbox.db.connecting import HURRIED_TIMEOUT_S, is_hurried
from inbox.worker.signals import Stop

NEVER_S = 600


@pytest.fixture
def stop():
    installed = Stop()
    installed.install()
    yield installed
    installed.uninstall()


def test_it_ends_the_attempt_and_the_next_one_is_short(stop):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        clients = []

        def signal_when_connected():
            clients.append(silent.accept()[0])
            os.kill(os.getpid(), signal.SIGTERM)

        thread = Thread(target=signal_when_connected)
        thread.start()
        wrapper = connection.copy()
        address = {"host": "127.0.0.1", "port": silent.getsockname()[1], "connect_timeout": NEVER_S}
        parameters = wrapper.get_connection_params() | address
        with pytest.raises(OperationalError, match="a signal came"):
            wrapper.get_new_connection(parameters)
        thread.join(20)
        assert stop.is_asked
        with pytest.raises(OperationalError, match="timeout"), wrapper.wrap_database_errors:
            wrapper.get_new_connection(parameters)
        assert parameters["connect_timeout"] == HURRIED_TIMEOUT_S
        clients[0].close()
    stop.uninstall()
    assert not is_hurried()
