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
SWITCHES = {"on": True, "true": True, "yes": True, "1": True, "off": False, "false": False, "no": False, "0": False}


def _read(name: str, default: T, parse: Callable[[str], T], is_good: Callable[[T], object], takes: str) -> T:
    text = env.str(name, default="").strip()
    if not text:
        return default
    try:
        value = parse(text)
        if is_good(value):
            return value
    except (ValueError, KeyError):
        pass
    raise ImproperlyConfigured(f"{name} is {text!r}, but it takes {takes}.")


def _is_duration(number: float) -> bool:
    return 0 < number <= LONGEST_S


def whole_number(name: str, default: int, minimum: int = 1) -> int:
    """The setting `name` as an int of at least `minimum`. Raises ImproperlyConfigured."""
    takes = f"a whole number of at least {minimum}, such as {default}"
    return _read(name, default, int, lambda number: number >= minimum, takes)


def seconds(name: str, default: float) -> float:
    """The setting `name` as a positive number of seconds. Raises ImproperlyConfigured."""
    return _read(name, default, float, _is_duration, f"a number of seconds above 0, such as {default:g}")


def list_of_seconds(name: str, default: tuple[float, ...]) -> tuple[float, ...]:
    """The setting `name` as positive numbers of seconds with commas between. Raises ImproperlyConfigured."""

    def parse(text: str) -> tuple[float, ...]:
        return tuple(float(part) for part in text.split(","))

    example = ",".join(f"{number:g}" for number in default)
    takes = f"numbers of seconds above 0 with commas between, such as {example}"
    return _read(name, default, parse, lambda numbers: all(map(_is_duration, numbers)), takes)


def web_address(name: str) -> str:
    """The setting `name` as an http(s) address without a slash at its end; "" if unset. Raises ImproperlyConfigured."""
    address = _read(name, "", str, _is_web_address, "an address such as http://generator.example:8080")
    return address.rstrip("/")


def _is_web_address(text: str) -> bool:
    parts = urlsplit(text)
    # Reading a port that is not a number raises ValueError.
    is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    has_more = parts.query or parts.fragment or " " in text
    return is_whole and not has_more and text.isascii() and text.isprintable()


def one_of(name: str, default: str, *others: str) -> str:
    """The setting `name` as one of these words. Raises ImproperlyConfigured."""
    words = (default, *others)
    return _read(name, default, str, words.__contains__, f"one of {', '.join(words)}")


def switch(name: str, default: bool = False) -> bool:
    """The setting `name` as on or off. Raises ImproperlyConfigured."""
    return _read(name, default, lambda text: SWITCHES[text.lower()], lambda value: True, "on or off")
