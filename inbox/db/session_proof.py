"""Each new session proves that it has the settings of session_settings.py, by one statement.

A session that lacks some sets them. Where its role may not, or where a pooler gives each transaction another session,
it refuses with a text that says what to do. Failure mode: what a DBA changes later reaches the next sessions of a
pooler without a new proof; its `connect_query` sets all that it may.
"""

import re
from collections import Counter
from typing import Any

import psycopg
from psycopg.sql import Identifier

from inbox.db import session_settings
from inbox.db.session_settings import SessionSetting

ENCODING = "UTF8"
WRONG_ENCODING = (
    "the database {database} has the encoding {encoding}, and ServiceOps needs UTF8, to store every text as it came. "
    "Make another one and move the data: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0;"
)
BEHIND_POOLER = (
    "sessions of the pooler run with {found}. Give it the connect_query of deploy/pgbouncer.ini, which sets what "
    "ServiceOps needs, and have it RECONNECT"
)
OTHER_PATH = (
    "the pooler drops the options of DATABASE_URL, and its sessions run with search_path = '{found}'. "
    "ALTER ROLE {role} SET search_path = {wanted};"
)
LEFT_BEHIND = (
    "some client of the pooler has SET {found} in a session that others share. Have the pooler RECONNECT, and let its "
    "clients use SET LOCAL"
)
MAY_NOT_SET = "sessions of role {role} run with {found}. As a superuser: {mend}"

SELECT_SOURCES = "SELECT name, source FROM pg_settings WHERE name = ANY(%s)"
# By pg_settings.source: for whom it was set, as ALTER … RESET takes it. All others are the server's.
SET_FOR = {
    "database": "DATABASE {database}",
    "user": "ROLE {role}",
    "database user": "ROLE {role} IN DATABASE {database}",
    "global": "ROLE ALL",
}
# The source of what a statement has set, which in a new session was one of a pooler's.
BY_STATEMENT = "session"
# Values may have spaces and backslashes, each after a backslash.
OPTION = re.compile(r"(?:^|\s)(?:-c\s*|--)([\w.-]+)=((?:\\.|[^\\\s])*)")

Wrong = dict[SessionSetting, str]


class UnfitSession(psycopg.OperationalError):
    """a session lacks settings that the promises stand on; the text names them, and says what to do"""


def refusal(error: BaseException) -> str | None:
    """The text of an UnfitSession, if `error` is one or was raised from one."""
    found = error if isinstance(error, UnfitSession) else error.__cause__
    return str(found) if isinstance(found, UnfitSession) else None


def prove(raw: psycopg.Connection[Any], options: str = "") -> None:
    """Put right what this new session lacks; `options` is what it asked for. Raises UnfitSession, and psycopg.Error.

    One round trip if nothing is wrong. The session must be in autocommit mode.
    """
    encoding = raw.info.parameter_status("server_encoding")
    if encoding != ENCODING:
        raise UnfitSession(WRONG_ENCODING.format(database=raw.info.dbname, encoding=encoding))
    wanted = session_settings.SESSION_SETTINGS
    names = [*(setting.name for setting in wanted), "search_path"]
    backend, *values = _row(raw, "pg_backend_pid()", *(f"current_setting('{name}', true)" for name in names))
    wrong = {setting: value for setting, value in zip(wanted, values, strict=False) if not setting.is_fine(value)}
    if backend != raw.info.backend_pid:
        # A pooler answers with a backend number of its own making.
        _refuse_behind_pooler(raw, _not_respected(raw, wrong), options, search_path=values[-1])
        return
    # The address comes after our limits, so it has the last word on them.
    asked = Counter(name for name, _ in OPTION.findall(options))
    wrong = {one: value for one, value in wrong.items() if not (one.is_limit and asked[one.name] > 1)}
    if wrong := _not_respected(raw, wrong):
        _mend(raw, wrong)


def _row(raw: psycopg.Connection[Any], *columns: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = raw.execute(f"SELECT {', '.join(columns)}".encode()).fetchone()
    if row is None:
        raise psycopg.OperationalError("the database gave no answer")
    return row


def _not_respected(raw: psycopg.Connection[Any], wrong: Wrong) -> Wrong:
    """Without read-only, unless it was set for a role or a database: a server or an address means it."""
    read_only = [one for one in wrong if one.name == "default_transaction_read_only"]
    if read_only and _sources(raw, read_only)[read_only[0].name] not in (*SET_FOR, BY_STATEMENT):
        return {one: value for one, value in wrong.items() if one not in read_only}
    return wrong


def _mend(raw: psycopg.Connection[Any], wrong: Wrong) -> None:
    try:
        _row(raw, *(f"set_config('{one.name}', '{one.value}', false)" for one in wrong))
    except psycopg.errors.InsufficientPrivilege:
        raise _may_not_set(raw, wrong) from None


def _refuse_behind_pooler(raw: psycopg.Connection[Any], wrong: Wrong, options: str, *, search_path: str) -> None:
    """A SET would reach one of its sessions only."""
    if carried := {one: value for one, value in wrong.items() if one.is_carried}:
        raise UnfitSession(BEHIND_POOLER.format(found=_in_words(carried)))
    if wrong:
        raise _may_not_set(raw, wrong)
    for name, escaped in OPTION.findall(options):
        path = re.sub(r"\\(.)", r"\1", escaped)
        if name == "search_path" and path.replace(" ", "") != search_path.replace(" ", ""):
            raise UnfitSession(OTHER_PATH.format(found=search_path, wanted=path, role=_quoted(raw, raw.info.user)))


def _may_not_set(raw: psycopg.Connection[Any], wrong: Wrong) -> UnfitSession:
    sources = _sources(raw, wrong)
    if left := {one: value for one, value in wrong.items() if sources.get(one.name) == BY_STATEMENT}:
        return UnfitSession(LEFT_BEHIND.format(found=_in_words(left)))
    names = {"role": _quoted(raw, raw.info.user), "database": _quoted(raw, raw.info.dbname)}
    mend = [
        f"ALTER {SET_FOR[source].format(**names)} RESET {name};"
        if source in SET_FOR
        else f"ALTER SYSTEM RESET {name}; SELECT pg_reload_conf();"
        for name, source in sources.items()
    ]
    return UnfitSession(MAY_NOT_SET.format(role=names["role"], found=_in_words(wrong), mend=" ".join(mend)))


def _sources(raw: psycopg.Connection[Any], settings: Any) -> dict[str, str]:
    return dict(raw.execute(SELECT_SOURCES, [[one.name for one in settings]]).fetchall())


def _in_words(wrong: Wrong) -> str:
    return ", ".join(f"{one.name} = '{value}' and not '{one.value}'" for one, value in wrong.items())


def _quoted(raw: psycopg.Connection[Any], name: str) -> str:
    return name if re.fullmatch(r"[a-z_][a-z0-9_$]*", name) else Identifier(name).as_string(raw)
