"""Makes any text fit for the database, so that recording a failure can't fail itself; checks JSON for the same."""

import re
from collections.abc import Mapping
from math import isfinite
from typing import Any

import psycopg
from django.db import InterfaceError, OperationalError

MAX_ERROR_LENGTH = 2000
# From the first quote to the last: a value may contain quotes.
QUOTED = re.compile(r'".*"', re.DOTALL)
# Python's own reader and writer of JSON end at about 1,000, less where the stack is deep already.
DEEPEST = 100


def storable(text: str, limit: int = MAX_ERROR_LENGTH) -> str:
    """`text` without NUL and lone surrogates (PostgreSQL stores neither), at most `limit` characters."""
    clean = text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


class OwnText(Exception):
    """An exception whose text is ours alone: it quotes nothing that came with a message."""


def error_text(error: BaseException) -> str:
    """The part of an exception that may be stored: a text that can't quote a message, else its type and place.

    Of a database error that is the first line, because the detail quotes stored values; if the data itself is wrong
    (SQLSTATE 22…), without what that line quotes. Errors of the connection contain no values.
    """
    cause = error.__cause__ if getattr(error.__cause__, "diag", None) else error
    diag = getattr(cause, "diag", None)
    if diag is not None and diag.message_primary:
        text, sqlstate = diag.message_primary, diag.sqlstate or ""
        if sqlstate.startswith("22"):
            text = QUOTED.sub('"…"', text)
        return storable(f"{text} (SQLSTATE {sqlstate})")
    if isinstance(error, OwnText | OperationalError | InterfaceError | psycopg.OperationalError) and str(error):
        return storable(str(error))
    raised = "".join(f" at {place}" for place in places(error)[-1:])
    return f"{type(error).__name__}{raised}; its own text is not kept: it may quote a message"


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
