"""The scratch database: made beside the real one, and dropped again whatever happens.

Its name and comment say what it is, and the session that makes it holds an advisory lock on its number for as long as
it lives. So a later run finds those that a killed run has left, and drops these and nothing else.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
from django.db import connection

PREFIX = "serviceops_verify_"
COMMENT = "scratch database of verify_locks; may be dropped"
# With the number in the name, the key of the maker's advisory lock. Any number that nobody else uses; this is "vrfy".
LOCK_CLASS = 0x76726679

# One that was killed while it was being made has no comment yet.
SELECT_LEFT = f"""
SELECT datname FROM pg_database
 WHERE datname ~ '^{PREFIX}[0-9a-f]{{8}}$'
   AND coalesce(shobj_description(oid, 'pg_database'), '{COMMENT}') = '{COMMENT}'
   AND ('x' || right(datname, 8))::bit(32)::bigint NOT IN (
           SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND classid = {LOCK_CLASS})
"""
SELECT_COMMENT = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"


class NoScratch(Exception):
    """A scratch database can't be had; the text says why, and what to do."""


@contextmanager
def scratch_database(url: str) -> Iterator[str]:
    """Yield the address of a new, empty database on the server of `url`; it is dropped at the end. Raises NoScratch."""
    number = secrets.randbits(32)
    name = f"{PREFIX}{number:08x}"
    try:
        keeper = psycopg.connect(url, autocommit=True)
    except psycopg.OperationalError as error:
        raise NoScratch(f"no connection to the server: {str(error).strip()}") from None
    with keeper:
        _drop_left(keeper)
        try:
            _create(keeper, name, number)
        except psycopg.errors.InsufficientPrivilege:
            raise NoScratch(
                "this role may not create a database. As a superuser: ALTER ROLE … CREATEDB. Or name another server "
                "with --scratch-url"
            ) from None
        try:
            yield urlunsplit(urlsplit(url)._replace(path="/" + name))
        finally:
            _drop(keeper, name)


def _create(keeper: psycopg.Connection, name: str, number: int) -> None:
    # The lock's key is signed.
    keeper.execute("SELECT pg_advisory_lock(%s, %s)", [LOCK_CLASS, number - 2**32 if number >= 2**31 else number])
    keeper.execute(f"CREATE DATABASE {name}")
    keeper.execute(f"COMMENT ON DATABASE {name} IS '{COMMENT}'")


def _drop(keeper: psycopg.Connection, name: str) -> None:
    keeper.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _drop_left(keeper: psycopg.Connection) -> None:
    for (name,) in keeper.execute(SELECT_LEFT).fetchall():
        _drop(keeper, name)


def refuse_unless_scratch() -> None:
    """Leave the process if the database of this process is no scratch database."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_COMMENT)
        if cursor.fetchone()[0] != COMMENT:
            raise SystemExit("this is no scratch database of verify_locks; nothing was done")
