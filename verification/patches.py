"""Replaces names of the product while a block lasts, for gates and for taking a protection out.

Only ever used on a scratch database, or by the chaos test: it changes the code of this process.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from importlib import import_module
from typing import Any


@contextmanager
def patched(target: str, make: Callable[[Any], Any]) -> Iterator[None]:
    """Replace what `target` names, such as "inbox.engine.claim:_mark", by `make` of it, until the block ends.

    Raises AttributeError if there is no such name.
    """
    module, _, path = target.partition(":")
    *owners, name = path.split(".")
    owner = reduce(getattr, owners, import_module(module))
    plain = owner.__dict__[name]
    setattr(owner, name, make(plain))
    try:
        yield
    finally:
        setattr(owner, name, plain)


def without_text(target: str, text: str, instead: str = "") -> Any:
    """`patched` for an SQL constant: `text` in it becomes `instead`. Raises ValueError if the text isn't there."""

    def cut(statement: str) -> str:
        if text not in statement:
            raise ValueError(f"{target} does not contain {text!r} any more")
        return statement.replace(text, instead)

    return patched(target, cut)
