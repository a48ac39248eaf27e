"""Files of the report. They appear whole or not at all, and a name that can't be written is refused before the work."""

import os
from pathlib import Path


class Unwritable(Exception):
    """The file can't be written; the text says why."""


def check_writable(path: Path) -> None:
    """Try whether `path` can be written, without touching what is there. Raises Unwritable."""
    if str(path) == "-":
        raise Unwritable("'-' is no file; the text goes to stdout anyway, and --json prints JSON there")
    if path.exists() and not path.is_file():
        raise Unwritable(f"{path} is not a file")
    try:
        beside = _make_beside(path)
    except OSError as error:
        raise Unwritable(f"{path}: {error.strerror}") from None
    beside.unlink()


def write_whole(path: Path, text: str) -> None:
    """Write `text` to `path`: a reader sees the old file or the new one. Raises Unwritable."""
    beside = None
    try:
        beside = _make_beside(path)
        beside.write_text(text, encoding="utf-8")
        beside.replace(path.resolve())
    except OSError as error:
        if beside:
            beside.unlink()
        raise Unwritable(f"{path}: {error.strerror}") from None


def _make_beside(path: Path) -> Path:
    """An empty file beside the real one, as a rename works within one file system only. A link is followed."""
    target = path.resolve()
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    beside.touch(exist_ok=False)
    return beside
