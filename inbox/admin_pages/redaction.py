"""Redact: JSON without its values. Keys, structure, types and lengths stay, so that one sees what is wrong with it.

A key can be a value itself, such as a person's name as sent by a broken program. So only keys of known words are shown,
which other apps name in their AppConfig.ready().
"""

import re
from collections.abc import Iterable
from typing import Any

# As in `fileName`, `file_name` and `Facility Provider NPI`; nothing else may stand in a key that is shown.
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
BETWEEN = re.compile(r"[ _-]*")

_words: set[str] = set()


def know_words(words: Iterable[str]) -> None:
    """Have keys that are made of these words, in lower case, shown."""
    _words.update(words)


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
    return key if _is_known(key) else f"key {number}, {_characters(len(key))}"


def _is_known(key: str) -> bool:
    words = WORD.findall(key)
    return bool(words) and BETWEEN.fullmatch(WORD.sub("", key)) is not None and _words.issuperset(map(str.lower, words))


def _characters(count: int) -> str:
    return "1 character" if count == 1 else f"{count:,} characters"
