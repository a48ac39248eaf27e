"""A server whose clock can be shifted."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.cluster import free_ports
from tests.support.servers.clock import ShiftedServer, need


@pytest.fixture(scope="module")
def server():
    need()
    with TemporaryDirectory(prefix="clock-") as folder:
        # The server may run as another user, who has to get through.
        Path(folder).chmod(0o711)
        server = ShiftedServer(Path(folder) / "server", *free_ports(1))
        try:
            server.make()
            yield server
        finally:
            server.stop()
