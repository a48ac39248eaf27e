"""Redact: JSON without its values. Keys, structure, types and lengths stay, so that one sees what is wrong with it."""

import re
from typing import Any

# A key that could itself be a value, such as a person's name as sent by a broken program, is not shown.
GOOD_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}( [A-Z][A-Za-z0-9_]{0,39}){0,3}")


def redacted(value: Any) -> Any:
    """The same value with each text, number and truth replaced by what it is. Raises RecursionError."""
    match value:
        case dict():
            return {_key(key, number): redacted(inner) for number, (key, inner) in enumerate(value.items(), start=1)}
        case list():
            return [redacted(inner) for inner in value]
        case str():
            return f"text, {_characters(len(value))}"
        case bool():
            return "true or false"
        case int() | float():
            return "number"
    return None


def _key(key: str, number: int) -> str:
    return key if GOOD_KEY.fullmatch(key) else f"key {number}, {_characters(len(key))}"


def _characters(count: int) -> str:
    return "1 character" if count == 1 else f"{count:,} characters"
