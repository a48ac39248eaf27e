"""Standard streams that are always there, and whose loss fails nothing.

A process may start with descriptors 0 to 2 closed (`2>&-`). The next socket would become descriptor 2 then, and a line
for stderr would go into the conversation with the database.
"""

import io
import os
import sys
from typing import Any


class Lossy(io.FileIO):
    """Drops what can't be written: the disk is full, or nobody reads any more. A log line must not fail the work."""

    def write(self, data: Any) -> int:
        """As a file's, but whatever can't be written counts as written."""
        try:
            written = super().write(data)
        except OSError:
            written = None
        return memoryview(data).nbytes if written is None else written


def open_standard_streams() -> None:
    """Open those of descriptors 0 to 2 that are closed on the null device, and make stderr lossy.

    Call it before anything opens a file or a socket.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free descriptor, which is this one, as those below are open.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    # Python has none where the descriptor was closed.
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, closefd=False)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    encoding = sys.stderr.encoding if sys.stderr else "utf-8"
    raw = io.BufferedWriter(Lossy(2, "w", closefd=False))
    sys.stderr = io.TextIOWrapper(raw, encoding, "backslashreplace", line_buffering=True)
