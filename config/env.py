"""Reads settings from the environment; a wrong value is an error that names the setting and what it takes."""

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")

env = environ.Env()

# Ten years: more is a slip, and PostgreSQL could not count it.
LONGEST_S = 10 * 366 * 86400.0


def _read(name: str, default: T, parse: Callable[[str], T], takes: str) -> T:
    text = env.str(name, default="").strip()
    if not text:
        return default
    try:
        return parse(text)
    except ValueError:
        raise ImproperlyConfigured(f"{name} is {text!r}, but it takes {takes}.") from None


def whole_number(name: str, default: int, minimum: int = 1) -> int:
    """The setting `name` as an int of at least `minimum`. Raises ImproperlyConfigured."""

    def parse(text: str) -> int:
        number = int(text)
        if number < minimum:
            raise ValueError
        return number

    return _read(name, default, parse, f"a whole number of at least {minimum}, such as {default}")


def seconds(name: str, default: float) -> float:
    """The setting `name` as a positive number of seconds. Raises ImproperlyConfigured."""

    def parse(text: str) -> float:
        number = float(text)
        if not 0 < number <= LONGEST_S:
            raise ValueError
        return number

    return _read(name, default, parse, f"a number of seconds above 0, such as {default:g}")


def list_of_seconds(name: str, default: tuple[float, ...]) -> tuple[float, ...]:
    """The setting `name` as positive numbers of seconds with commas between. Raises ImproperlyConfigured."""

    def parse(text: str) -> tuple[float, ...]:
        numbers = tuple(float(part) for part in text.split(","))
        if not all(0 < number <= LONGEST_S for number in numbers):
            raise ValueError
        return numbers

    example = ",".join(f"{number:g}" for number in default)
    return _read(name, default, parse, f"numbers of seconds above 0 with commas between, such as {example}")


def web_address(name: str) -> str:
    """The setting `name` as an http(s) address without a slash at its end; "" if unset. Raises ImproperlyConfigured."""

    def parse(text: str) -> str:
        parts = urlsplit(text)
        # Reading the port raises ValueError for one that is none.
        is_good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        if not is_good or parts.query or parts.fragment or not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError
        return text.rstrip("/")

    return _read(name, "", parse, "an address such as http://generator.example:8080")


def one_of(name: str, default: str, *others: str) -> str:
    """The setting `name` as one of these words. Raises ImproperlyConfigured."""
    words = (default, *others)

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError
        return text

    return _read(name, default, parse, f"one of {', '.join(words)}")


def switch(name: str, default: bool = False) -> bool:
    """The setting `name` as on or off. Raises ImproperlyConfigured."""
    words = {"on": True, "true": True, "yes": True, "1": True, "off": False, "false": False, "no": False, "0": False}

    def parse(text: str) -> bool:
        if text.lower() not in words:
            raise ValueError
        return words[text.lower()]

    return _read(name, default, parse, "on or off")
