"""Redact: JSON without its values, but with the keys, structure, types and lengths that show what is wrong with it.

A broken program can send a value, such as a person's name, as a key. So keys are shown only if they are made of known
words, which other apps register in their AppConfig.ready().
"""

import re
from collections.abc import Iterable
from typing import Any

# Words as in `fileName`, `file_name` and `Facility Provider NPI`. A key that is shown holds nothing else.
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
BETWEEN = re.compile(r"[ _-]*")

_words: set[str] = set()


def know_words(words: Iterable[str]) -> None:
    """Show keys that are made of these words, which are given in lower case."""
    _words.update(words)


def redacted(value: Any) -> Any:
    """The value with each text, number and boolean replaced by its type. Raises RecursionError if nested too deeply."""
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
