"""Finds the PostgreSQL processes of one data folder. Only what is found here is ever signalled."""

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any


def processes_in(data: Path) -> list[Any]:
    """Every live postgres that works in the folder `data`: the postmaster and its backends, orphaned ones too."""
    import psutil  # not at the top: a start that finds the server answering has no use for it

    folder = os.path.realpath(data)
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if os.path.basename(process.exe()) == "postgres" and process.cwd() == folder:
                found.append(process)
    return found


def works_in_removed_folder(process: Any) -> bool:
    """Somebody typed `rm -r .postgres` under a running server, which itself would notice that within a minute."""
    try:
        return os.readlink(f"/proc/{process.pid}/cwd").endswith(" (deleted)")
    except OSError:
        return False


def tell_to_exit(process: Any) -> None:
    """Only for what processes_in found: psutil makes sure that the pid still is that process before it signals."""
    import psutil

    with suppress(psutil.Error):
        process.send_signal(signal.SIGQUIT)
