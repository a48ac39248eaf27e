"""A file system of its own, in memory, that can be made full. Needs root, and leave to mount."""

import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path

SIZE = "8g"
TRIES = 20


class Disk:
    """Mounted at `folder` from `mount` to `end`. No process may live on it any more by then."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def mount(self) -> None:
        _run("mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0711", "tmpfs", self.folder)

    def fill(self) -> None:
        """Leave no byte free: what is there can be read and written, nothing can grow."""
        for tries_left in reversed(range(TRIES)):
            used = os.statvfs(self.folder)
            try:
                self._resize(str((used.f_blocks - used.f_bfree) * used.f_frsize))
            except subprocess.CalledProcessError:
                # Something has grown meanwhile.
                if not tries_left:
                    raise
            else:
                return

    def free(self) -> None:
        self._resize(SIZE)

    def end(self) -> None:
        _run("umount", self.folder)

    def _resize(self, size: str) -> None:
        _run("mount", "-o", f"remount,size={size}", self.folder)


@cache
def is_possible() -> bool:
    """True if this process may mount a file system."""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory(prefix="disk-") as folder:
        disk = Disk(Path(folder) / "disk")
        try:
            disk.mount()
            disk.end()
        except (subprocess.CalledProcessError, OSError):
            return False
    return True


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True)
