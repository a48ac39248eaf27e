"""The scratch database: made beside the real one, and dropped again whatever happens.

The session that makes it holds an advisory lock on the number in its name for as long as it lives. So a later run finds
those that a killed run has left, and drops these and nothing else: its name and its connection limit say what it is,
and both are there from the moment that it is.

Failure modes: the role may not create a database, the address is wrong, or it leads to a pooler (NoScratch, each with
its own text); the connection breaks (the database is dropped through another one, or else by the next run).
"""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit, urlunsplit

import psycopg
from django.conf import settings
from django.db import connection
from psycopg.sql import Identifier

from verification.proof.pooler import leads_to_pooler, reaches_through_pooler
from verification.proof.stopping import Stopped, stops_raise

PREFIX = "serviceops_verify_"
COMMENT = "scratch database of verify_locks; may be dropped"
# With the number in the name, the key of the maker's advisory lock. Any number that nobody else uses; this is "vrfy".
LOCK_CLASS = 0x76726679
# A comment comes after the database; its connection limit comes with it. Any number that nobody else uses.
LIMIT = 76_726
# Nobody can be in template0; somebody in template1, which is the default, would prevent the copy.
CREATE = "CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' CONNECTION LIMIT {limit}"
# Limits of the role are for its short transactions; a busy server may take longer to make or drop a database. The
# session is idle by nature; a server that ends idle sessions would end its lock.
SET_LIMITS = """
SELECT set_config('statement_timeout', '60s', false), set_config('lock_timeout', '0', false),
       set_config('idle_session_timeout', '0', false)
"""

SELECT_LEFT = f"""
SELECT datname FROM pg_database
 WHERE datname ~ '^{PREFIX}[0-9a-f]{{8}}$' AND datconnlimit = {LIMIT}
   AND ('x' || right(datname, 8))::bit(32)::bigint NOT IN (
           SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND classid = {LOCK_CLASS})
"""
SELECT_COMMENT = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
# As in DATABASE_URL.
SCHEMES = ("postgresql", "postgres", "psql", "pgsql")
HOST = re.compile(r"(\[[^]]*\]|[^:\[\]]*)(:[0-9]+)?")
NO_ADDRESS = (
    "the address is none; it takes one such as postgresql://user:password@host:5432/postgres, with %40 for an @ in "
    "the password"
)
MAY_NOT_CREATE = (
    "this role may not create a database. As a superuser: ALTER ROLE {role} CREATEDB; or name another server "
    "with --scratch-url"
)
ONLY_A_POOLER = (
    "the address leads to a pooler. Set DATABASE_DIRECT_URL to that of the server itself, or name another server with "
    "--scratch-url"
)


class NoScratch(Exception):
    """A scratch database can't be had; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Scratch:
    """A scratch database: its address, and the one for sessions that must be direct, empty if both are the same."""

    url: str
    direct_url: str = ""

    @property
    def way(self) -> str:
        """How the sessions of the proofs reach it, for the report."""
        return (
            "through the pooler of DATABASE_URL, but where a race is about sessions" if self.direct_url else "directly"
        )


@contextmanager
def scratch_database(url: str) -> Iterator[Scratch]:
    """Yield a new, empty database on the server of `url`; it is dropped at the end, after a signal too.

    Raises NoScratch, and Stopped after SIGINT, SIGTERM or SIGHUP.
    """
    address = _address(url)
    number = secrets.randbits(32)
    name = f"{PREFIX}{number:08x}"
    with stops_raise() as ignore_stops:
        try:
            keeper = _connect(address)
            try:
                _create(keeper, name, number)
                yield _scratch(url, address, name)
            finally:
                ignore_stops()
                _drop_surely(keeper, address, name)
        except KeyboardInterrupt:
            raise Stopped("Stopped; the scratch database is dropped.") from None


def _address(url: str) -> SplitResult:
    """Raises NoScratch without a word of the address, whose password may be in a wrong place."""
    try:
        parts = urlsplit(url)
        plain = parts._replace(scheme="postgresql")
        psycopg.conninfo.conninfo_to_dict(urlunsplit(plain))
    except (ValueError, psycopg.Error):
        raise NoScratch(NO_ADDRESS) from None
    # An address whose password has a plain @, /, ? or # is taken apart at a wrong place.
    hosts = parts.netloc.rpartition("@")[2].split(",")
    is_cut = parts.netloc.count("@") > 1 or "@" in parts.path or parts.fragment
    is_whole = not is_cut and all(map(HOST.fullmatch, hosts))
    if parts.scheme not in SCHEMES or not is_whole:
        raise NoScratch(NO_ADDRESS)
    return plain


def _connect(address: SplitResult) -> psycopg.Connection:
    try:
        keeper = psycopg.connect(
            urlunsplit(address),
            autocommit=True,
            application_name=f"{settings.DB_APPLICATION_NAME}-verify",
            # A server that has vanished must not keep the command from ending.
            connect_timeout=10,
            tcp_user_timeout=10_000,
            keepalives_idle=10,
        )
    except psycopg.Error as error:
        raise NoScratch(f"no connection to the server: {str(error).strip()}") from None
    if leads_to_pooler(keeper):
        keeper.close()
        raise NoScratch(ONLY_A_POOLER)
    keeper.execute(SET_LIMITS)
    return keeper


def _create(keeper: psycopg.Connection, name: str, number: int) -> None:
    _drop_left(keeper)
    # The lock's key is signed.
    keeper.execute("SELECT pg_advisory_lock(%s, %s)", [LOCK_CLASS, number - 2**32 if number >= 2**31 else number])
    try:
        keeper.execute(CREATE.format(name=name, limit=LIMIT))
    except psycopg.errors.InsufficientPrivilege:
        role = Identifier(keeper.info.user).as_string(keeper)
        raise NoScratch(MAY_NOT_CREATE.format(role=role)) from None
    except psycopg.Error as error:
        raise NoScratch(f"the server refused to create a database: {str(error).strip()}") from None
    keeper.execute(f"COMMENT ON DATABASE {name} IS '{COMMENT}'")


def _scratch(url: str, address: SplitResult, name: str) -> Scratch:
    direct = urlunsplit(address._replace(path="/" + name))
    if url == settings.DATABASE_DIRECT_URL:
        pooled = urlunsplit(urlsplit(settings.DATABASE_URL)._replace(scheme="postgresql", path="/" + name))
        if reaches_through_pooler(pooled):
            return Scratch(pooled, direct)
    return Scratch(direct)


def _drop_surely(keeper: psycopg.Connection, address: SplitResult, name: str) -> None:
    try:
        with keeper:
            _drop(keeper, name)
    except psycopg.Error:
        with suppress(NoScratch, psycopg.Error), _connect(address) as another:
            _drop(another, name)


def _drop(keeper: psycopg.Connection, name: str) -> None:
    keeper.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _drop_left(keeper: psycopg.Connection) -> None:
    for (name,) in keeper.execute(SELECT_LEFT).fetchall():
        # That of another role is for that role's next run; another run may be dropping it just now.
        with suppress(psycopg.Error):
            _drop(keeper, name)


def refuse_unless_scratch() -> None:
    """Leave the process if the database of this process is no scratch database."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_COMMENT)
        if cursor.fetchone()[0] != COMMENT:
            raise SystemExit("this is no scratch database of verify_locks; nothing was done")
