"""Text for terminals and pipes: nothing in it moves the cursor, and a reader that goes away causes no traceback."""

import os
import textwrap
import unicodedata
from contextlib import suppress
from typing import TextIO

from django.core.management.base import CommandError, OutputWrapper

WIDTH = 80


def printable(text: str) -> str:
    """`text` on one line, without control characters: an error text or a name must not steer a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def clip(text: str, width: int = WIDTH) -> str:
    """`text` on one line of at most `width` columns; East Asian letters take two."""
    text = printable(text)
    if len(text) <= width and _columns(text) <= width:
        return text
    text = text[:width]
    while _columns(text) > width - 1:
        text = text[:-1]
    return text + "…"


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def wrap(text: str, indent: str = "", hang: str = "") -> list[str]:
    """`text` on as many lines as it takes, the first indented by `indent` and the others by `hang`.

    A word that is longer than a line is cut.
    """
    text = printable(text)
    # Where a letter may take two columns, half as many letters are sure to fit.
    width = WIDTH if _columns(text) == len(text) else WIDTH // 2
    shape = textwrap.TextWrapper(
        width, initial_indent=indent, subsequent_indent=hang, break_long_words=False, break_on_hyphens=False
    )
    lines = shape.wrap(text)
    return [clip(line) for line in lines]


def say(stdout: OutputWrapper | TextIO, text: str) -> bool:
    """Write `text` as lines of their own; False if nobody reads any more. Raises CommandError if it can't be written.

    Flushed here, because at the end of the process nothing could catch the error.
    """
    try:
        stdout.write(_encodable(stdout, text if text.endswith("\n") else text + "\n"))
        stdout.flush()
    except BrokenPipeError:
        _write_nowhere(stdout)
        return False
    except OSError as error:
        _write_nowhere(stdout)
        raise CommandError(f"stdout could not be written: {error.strerror}") from None
    return True


def _write_nowhere(stdout: OutputWrapper | TextIO) -> None:
    """Else the rest of the buffer would be written at the end of the process, and fail there: exit code 120."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stdout.fileno())
        os.close(nowhere)


def _encodable(stdout: OutputWrapper | TextIO, text: str) -> str:
    encoding = getattr(stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)
