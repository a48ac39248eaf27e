"""Shared by all benchmarks: a scratch database that is dropped at the end, options, timing and percentiles."""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")


def options(doc: str | None, **defaults: Any) -> argparse.Namespace:
    """Parse the command line, whose options have the types of these defaults, and set up Django."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in defaults.items():
        kind: dict[str, Any] = {"action": "store_true"} if default is False else {"type": type(default)}
        parser.add_argument(f"--{name}", default=default, **kind)
    parsed = parser.parse_args()
    set_up_django()
    return parsed


def set_up_django() -> None:
    """Set up Django. Call this before importing any model."""
    import django
    from django.conf import settings

    django.setup()
    # With DEBUG Django keeps the text of every query, which no worker does.
    settings.DEBUG = False


@contextmanager
def scratch(database: str, *, keep: bool = False) -> Iterator[str]:
    """Yield the URL of a new, migrated database on the configured server, and drop it at the end.

    With `keep`, an existing database is used as it is, and it is not dropped.
    """
    import psycopg
    from django.conf import settings

    from config.embedded_postgres.server import Server

    if settings.USES_EMBEDDED_DATABASE:
        Server.of_project(settings.BASE_DIR).start()
    drop = f"DROP DATABASE IF EXISTS {database} WITH (FORCE)"
    with psycopg.connect(settings.DATABASE_URL, autocommit=True) as connection:
        there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
        if not (keep and there):
            connection.execute(drop)
            connection.execute(f"CREATE DATABASE {database}")
    try:
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(migrate, env=environment(url(database)), check=True)
        yield url(database)
    finally:
        if not keep:
            with psycopg.connect(settings.DATABASE_URL, autocommit=True) as connection:
                connection.execute(drop)


def url(database: str) -> str:
    """The URL of `database` on the configured server."""
    from django.conf import settings

    return urlunsplit(urlsplit(settings.DATABASE_URL)._replace(path="/" + database))


def environment(url: str) -> dict[str, str]:
    """The environment of a command that uses the database at `url`."""
    return os.environ | {"DATABASE_URL": url, "DATABASE_DIRECT_URL": ""}


def use(database: str) -> None:
    """Have Django in this process use `database`. Each database keeps its own connection."""
    from django.db import DEFAULT_DB_ALIAS, connections

    if database not in _wrappers:
        _wrappers[database] = connections[DEFAULT_DB_ALIAS].copy()
        _wrappers[database].settings_dict["NAME"] = database
    connections[DEFAULT_DB_ALIAS] = _wrappers[database]


_wrappers: dict[str, Any] = {}


def timed_ms(call: Callable[[], object]) -> float:
    """How long the call takes, in milliseconds."""
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def cpu_ms() -> float:
    """CPU time in ms of this process and of its session at the server; NaN if the server runs elsewhere."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    try:
        server_ns = int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
    except OSError:
        return float("nan")
    return time.process_time() * 1000 + server_ns / 1e6


def percentile(values: Sequence[float], percent: int) -> float:
    """The percentile of the values; 50 is the median."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else values[0]


def noise() -> str:
    """How busy the machine is, to be printed beside the figures."""
    return "load average " + ", ".join(f"{load:.1f}" for load in os.getloadavg())


def progress(text: str) -> None:
    """Print progress to stderr, apart from the figures."""
    print(text, file=sys.stderr, flush=True)
