"""A gate between a test and the handlers of its workers: they wait on a socket, and not inside the database.

A backend that waits inside a statement would not see at once that its worker is gone.
"""

import os
import socket
from contextlib import suppress

PORT = "TEST_GATE"


class Gate:
    """Closed until the test leaves its `with` or opens it; `environment` is for the workers that should wait."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(60)
        self._waiting: list[socket.socket] = []
        self.environment = {PORT: str(self._listener.getsockname()[1])}

    def __enter__(self) -> "Gate":
        return self

    def __exit__(self, *error: object) -> None:
        self.open()

    def wait_for_arrival(self) -> None:
        """Wait until one more handler stands at the gate."""
        self._waiting.append(self._listener.accept()[0])

    def open(self) -> None:
        """Let all handlers through that wait or come later."""
        self._listener.close()
        for handler in self._waiting:
            handler.close()


def come_through() -> None:
    """Wait until the gate is open, if this process has one."""
    port = os.environ.get(PORT)
    with suppress(OSError):
        if port is not None:
            with socket.create_connection(("127.0.0.1", int(port))) as gate:
                gate.recv(1)
