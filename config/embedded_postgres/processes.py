"""Finds the PostgreSQL processes of one data folder. Only processes found here are ever signalled."""

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any


def processes_in(data: Path) -> list[Any]:
    """Every live postgres that works in the folder `data`: the postmaster and its backends, orphaned ones too."""
    import psutil  # not at the top: a start that finds the server answering does not need it

    folder = os.path.realpath(data)
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if os.path.basename(process.exe()) == "postgres" and process.cwd() == folder:
                found.append(process)
    return found


def postmaster_of(data: Path) -> int | None:
    """The pid in postmaster.pid, if that process is verified to be the server of this folder."""
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n")[0])
    except (OSError, ValueError):
        return None
    return pid if pid in {process.pid for process in processes_in(data)} else None


def works_in_removed_folder(process: Any) -> bool:
    """Somebody typed `rm -r .postgres` under a running server, which itself notices that only within a minute."""
    try:
        return os.readlink(f"/proc/{process.pid}/cwd").endswith(" (deleted)")
    except OSError:
        return False


def tell_to_exit(process: Any) -> None:
    """Only for what processes_in found: psutil makes sure that the pid still is that process before it signals."""
    import psutil

    with suppress(psutil.Error):
        process.send_signal(signal.SIGQUIT)
