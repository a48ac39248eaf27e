"""A PostgreSQL server whose clock can be shifted while it runs, by libfaketime; the machine's clock stays right."""

import os
import subprocess
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from config.embedded_postgres.programs import Launcher, binary, launcher, run
from tests.support.cluster import Server

LIBRARY = "libfaketime.so.1"
MISSING = f"No {LIBRARY} works here. Type: pip install -r requirements-dev.txt, or: apt-get install libfaketime"
# Only the time of day is shifted, as on a real machine: timeouts and sleeps go by the monotonic clock. Each backend
# reads the file at each look at the clock, so a shift counts at once for all of them.
SETTINGS = {"FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DISABLE_SHM": "1"}


@cache
def find() -> Path | None:
    """The library that works on this machine: that of the wheel, or of the distribution."""
    spec = find_spec("libfaketime")
    wheel = [Path(spec.origin).parent / "vendor/libfaketime/src" / LIBRARY] if spec and spec.origin else []
    for path in [*wheel, *Path("/usr/lib").glob(f"*/faketime/{LIBRARY}")]:
        command = ["env", f"LD_PRELOAD={path}", "FAKETIME=@2001-01-01 00:00:00", "date", "+%Y"]
        if path.exists() and subprocess.run(command, capture_output=True, text=True, check=False).stdout == "2001\n":
            return path
    return None


def need() -> None:
    """Skip the test where libfaketime does not work; fail if REQUIRE_FAKETIME is set."""
    if find() is None:
        (pytest.fail if os.environ.get("REQUIRE_FAKETIME") else pytest.skip)(MISSING)


class Clock:
    """The clock of a server: how far it is ahead of the machine's. The server's user must be able to enter `folder`.

    A server of config.embedded_postgres gets it with patch("config.embedded_postgres.server.launcher", clock.launcher)
    around its start, and around each restart.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self._write(0)

    @property
    def environment(self) -> list[str]:
        """Words before a command that run it by this clock."""
        values = {"LD_PRELOAD": str(find()), "FAKETIME_TIMESTAMP_FILE": str(self._file), **SETTINGS}
        return ["env", *(f"{name}={value}" for name, value in values.items())]

    def launcher(self, home: Path) -> Launcher:
        """As programs.launcher does, by this clock."""
        way = launcher(home)
        return way._replace(prefix=[*way.prefix, *self.environment])

    def shift(self, seconds: float) -> None:
        """Set how many seconds the clock is ahead; below 0, how many it is behind. Counts at once."""
        self._write(seconds)

    def _write(self, seconds: float) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+g}\n")
        new.chmod(0o644)
        # A process that reads it meanwhile finds the old clock or the new one.
        new.replace(self._file)


class ShiftedServer(Server):
    """A server like others of cluster.py, with a clock of its own."""

    def __init__(self, folder: Path, port: int, **options: str) -> None:
        super().__init__(folder, port, **options)
        self.clock = Clock(folder)

    def program(self, name: str, *arguments: str | Path) -> None:
        done = run(self.clock.launcher(self.folder), [binary(name), *arguments])
        assert done.returncode == 0, done.stdout

    def shift(self, seconds: float) -> None:
        """Set how many seconds the server's clock is ahead of the machine's; below 0, behind."""
        self.clock.shift(seconds)
