#!/usr/bin/env python
"""Django's entry point; starts the embedded PostgreSQL first when the settings choose it and the command needs it."""

import os
import sys

from config import process
from config.early_stop import end_on_signals, ignore_signals


def main() -> None:
    process.kind = process.kind_of(sys.argv)
    if process.is_background():
        end_on_signals()
    # Only now, because each import takes time in which PID 1 takes no notice of a signal.
    from config.standard_streams import open_standard_streams

    open_standard_streams()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        from django.conf import settings
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit("manage.py: Django is not installed for this Python. Type `make run`, then use .venv/bin/python.")
    from config.logs import report_uncaught
    from config.startup import ends_if_unfit, start_database_for

    try:
        start_database_for(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"manage.py: {error}")
    if not settings.DEBUG:
        # The text of an exception may quote a message.
        sys.excepthook = report_uncaught
    try:
        with ends_if_unfit():
            execute_from_command_line(sys.argv)
    finally:
        if process.is_background():
            ignore_signals()


if __name__ == "__main__":
    main()
