"""Two servers, of which one follows the other."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.cluster import Server, follow_synchronously, free_ports
from tests.support.servers.neighbours import make_database


@pytest.fixture
def pair():
    """A primary with a migrated database, and its synchronous standby."""
    with TemporaryDirectory(prefix="failover-") as folder:
        # The servers may run as another user, who has to get through.
        Path(folder).chmod(0o711)
        first, second = (
            Server(Path(folder) / name, port) for name, port in zip(["first", "second"], free_ports(2), strict=True)
        )
        try:
            make_database(first)
            second.copy(first)
            follow_synchronously(first)
            yield first, second
        finally:
            first.stop()
            second.stop()
