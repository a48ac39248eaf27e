"""What benchmarks share: a scratch database, made anew and dropped at the end, options, and how figures are told."""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")


def options(doc: str | None, **defaults: Any) -> argparse.Namespace:
    """The options of the command line, each with a default, which also says its type; sets up Django."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    parsed = parser.parse_args()
    set_up_django()
    return parsed


def set_up_django() -> None:
    """To be called before anything of Django is imported."""
    import django
    from django.conf import settings

    django.setup()
    # With DEBUG Django keeps the text of every query, which no worker does.
    settings.DEBUG = False


@contextmanager
def scratch(database: str) -> Iterator[str]:
    """The address of a new, migrated database on the configured server; it is dropped in the end."""
    import psycopg
    from django.conf import settings

    from config import devdb

    if settings.USES_EMBEDDED_DATABASE:
        devdb.server(settings.BASE_DIR).start()
    drop = f"DROP DATABASE IF EXISTS {database} WITH (FORCE)"
    with psycopg.connect(settings.DATABASE_URL, autocommit=True) as connection:
        connection.execute(drop)
        connection.execute(f"CREATE DATABASE {database}")
    try:
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(migrate, env=environment(url(database)), check=True)
        yield url(database)
    finally:
        with psycopg.connect(settings.DATABASE_URL, autocommit=True) as connection:
            connection.execute(drop)


def url(database: str) -> str:
    """The address of `database` on the configured server."""
    from django.conf import settings

    return urlunsplit(urlsplit(settings.DATABASE_URL)._replace(path="/" + database))


def environment(url: str) -> dict[str, str]:
    """The environment in which a command works on the database with this address."""
    return os.environ | {"DATABASE_URL": url, "DATABASE_DIRECT_URL": ""}


def use(database: str) -> None:
    """Have Django in this process work on `database`; each keeps a connection of its own."""
    from django.db import DEFAULT_DB_ALIAS, connections

    if database not in _wrappers:
        _wrappers[database] = connections[DEFAULT_DB_ALIAS].copy()
        _wrappers[database].settings_dict["NAME"] = database
    connections[DEFAULT_DB_ALIAS] = _wrappers[database]


_wrappers: dict[str, Any] = {}


def timed_ms(call: Callable[[], object]) -> float:
    """How long the call took."""
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that `percent` of 100 don't exceed; 50 is the median."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else values[0]


def noise() -> str:
    """How busy the machine is; a part of every figure."""
    return "load average " + ", ".join(f"{load:.1f}" for load in os.getloadavg())


def progress(text: str) -> None:
    """Say what goes on, apart from the figures."""
    print(text, file=sys.stderr, flush=True)
