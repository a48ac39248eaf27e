"""A server of the distribution that speaks other languages; its locales are made for it, so no right is needed."""

import os
import subprocess
from pathlib import Path

import psycopg
import pytest

from config.embedded_postgres.programs import account, launcher, run
from tests.support.cluster import USER, free_ports

LANGUAGES = ("de_DE", "fr_FR", "es_ES")
SOURCES = Path("/usr/share/i18n/locales")
CATALOGS = Path("/usr/share/locale")


def _programs() -> Path | None:
    """The programs of the newest PostgreSQL of the distribution that has translations."""
    found = [
        folder
        for folder in Path("/usr/lib/postgresql").glob("*/bin")
        if (CATALOGS / f"de/LC_MESSAGES/postgres-{folder.parent.name}.mo").exists()
    ]
    return max(found, key=lambda folder: float(folder.parent.name), default=None)


class LocalizedServer:
    """Runs below `folder`; `connect` gives a session whose errors are in that language."""

    def __init__(self, folder: Path) -> None:
        programs = _programs()
        if programs is None or not (SOURCES / "de_DE").exists():
            reason = "no PostgreSQL of the distribution with translations (packages postgresql and locales)"
            if os.environ.get("REQUIRE_LOCALES"):
                pytest.fail(reason)
            pytest.skip(reason)
        self.programs = programs
        self.port = free_ports(1)[0]
        self.data = folder / "data"
        self.locales = folder / "locales"
        self.locales.mkdir()
        if os.geteuid() == 0:
            os.chown(folder, account().uid, account().gid)
        self._launcher = launcher(folder)

    def start(self) -> None:
        for language in LANGUAGES:
            target = self.locales / f"{language}.UTF-8"
            subprocess.run(["localedef", "-i", language, "-f", "UTF-8", target], check=True, capture_output=True)
        self._run("initdb", "--no-sync", "--auth=trust", "-U", USER, "-E", "UTF8", "--locale=C", "-D", self.data)
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        self._run("pg_ctl", "-D", self.data, "-w", "-l", self.data / "log", "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")

    def connect(self, language: str) -> psycopg.Connection:
        raw = psycopg.connect(host="127.0.0.1", port=self.port, user=USER, dbname="postgres", autocommit=True)
        raw.execute("SELECT set_config('lc_messages', %s, false)", [f"{language}.UTF-8"])
        return raw

    def _run(self, name: str, *arguments: str | Path) -> None:
        command = ["env", f"LOCPATH={self.locales}", self.programs / name, *arguments]
        done = run(self._launcher, command)
        assert done.returncode == 0, done.stdout
