"""Captures log lines as they are written in production."""

import io
import json
import logging
from contextlib import contextmanager

from config.logs import logging_settings


@contextmanager
def lines(log_format="json"):
    """The log lines of the block, one entry each: dictionaries if `log_format` is json, else texts."""
    stream = io.StringIO()
    formatter = logging_settings(log_format, "INFO")["formatters"]["events"]
    kind = formatter.pop("()")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(kind(**formatter))
    root = logging.getLogger()
    root.addHandler(handler)
    told = []
    try:
        yield told
    finally:
        root.removeHandler(handler)
        text = stream.getvalue().splitlines()
        told += [json.loads(line) for line in text] if log_format == "json" else text
