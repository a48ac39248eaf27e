"""What stands in the log."""

import io
import json
import logging
from contextlib import contextmanager

from config.logs import logging_settings


@contextmanager
def lines(log_format="json"):
    """What stands in the log, one entry per line."""
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
