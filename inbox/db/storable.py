"""Makes any text fit for the database, so that recording a failure can't fail itself; checks JSON for the same."""

import socket
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

import psycopg
from django.db import InterfaceError, OperationalError

from inbox.db.sqlstates import known

MAX_ERROR_LENGTH = 2000
# Python's own reader and writer of JSON end at about 1,000, less where the stack is deep already.
DEEPEST = 100


def storable(text: str, limit: int = MAX_ERROR_LENGTH) -> str:
    """`text` without NUL and lone surrogates (PostgreSQL stores neither), at most `limit` characters."""
    clean = text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def host_name() -> str:
    """The name of this host; bytes of it that are no text become "?"."""
    return storable(socket.gethostname())


class OwnText(Exception):
    """An exception whose text is ours alone: it quotes nothing that came with a message."""


def error_text(error: BaseException) -> str:
    """The part of an exception that may be stored: a text that can't quote a message, else its type and place.

    Of an answer of the server that is a text of our own, the names of what it is about, and the SQLSTATE: the server's
    line is in the server's language and quotes values. Errors without SQLSTATE are libpq's, and about a connection.
    """
    cause = error.__cause__ if getattr(error.__cause__, "diag", None) else error
    diag = getattr(cause, "diag", None)
    if diag is not None and diag.sqlstate:
        about = "".join(f", {what} {name}" for what, name in _names(diag))
        return storable(f"{known(diag.sqlstate).text}{about} (SQLSTATE {diag.sqlstate})")
    if isinstance(error, OwnText | OperationalError | InterfaceError | psycopg.OperationalError) and str(error):
        return storable(str(error))
    raised = "".join(f" at {place}" for place in places(error)[-1:])
    return f"{type(error).__name__}{raised}; its own text is not kept: it may quote a message"


def _names(diag: psycopg.errors.Diagnostic) -> Iterator[tuple[str, str]]:
    """The names of the objects that an error is about; the schema only if it is not the usual one."""
    if diag.schema_name and diag.schema_name != "public":
        yield "schema", diag.schema_name
    for what in ("table", "column", "datatype", "constraint"):
        if name := getattr(diag, f"{what}_name"):
            yield what, name


def places(error: BaseException, limit: int = 8) -> list[str]:
    """The innermost places that an exception went through; the last raised it, such as `inbox.engine.work:71`."""
    frames = []
    traceback = error.__traceback__
    while traceback is not None:
        frames.append(f"{traceback.tb_frame.f_globals.get('__name__', '?')}:{traceback.tb_lineno}")
        traceback = traceback.tb_next
    return frames[-limit:]


def is_storable(value: Any) -> bool:
    """True if this JSON value can be stored as jsonb and read again anywhere: no NUL or lone surrogate in a text, no
    infinite number, nested at most DEEPEST levels.
    """
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [part for item in level for part in _parts(item)]
        if not all(map(_is_storable_leaf, level)):
            return False
        if not level:
            return _is_storable_leaf(value)
    return False


def _parts(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    return list(value) if isinstance(value, list | tuple) else []


def _is_storable_leaf(value: Any) -> bool:
    if isinstance(value, str):
        return storable(value, len(value)) == value
    return not isinstance(value, float) or isfinite(value)
