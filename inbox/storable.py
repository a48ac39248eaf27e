"""Makes any text fit for the database, so that recording a failure can't fail itself; tells what else is fit for it."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

MAX_ERROR_LENGTH = 2000
# Python's own reader and writer of JSON end at about 1,000, less where the stack is deep already.
DEEPEST = 100


def storable(text: str, limit: int = MAX_ERROR_LENGTH) -> str:
    """`text` without NUL and lone surrogates (PostgreSQL stores neither), at most `limit` characters."""
    clean = text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def error_text(error: BaseException) -> str:
    """What to keep of an exception; of a database error only its first line, as the detail quotes stored values."""
    cause = error.__cause__ if getattr(error.__cause__, "diag", None) else error
    diag = getattr(cause, "diag", None)
    if diag is not None and diag.message_primary:
        return storable(f"{diag.message_primary} (SQLSTATE {diag.sqlstate})")
    return storable(str(error) or type(error).__name__)


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
