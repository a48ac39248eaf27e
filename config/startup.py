"""Around a manage.py command: the start of the embedded PostgreSQL, and the end for an unfit database.

Importing settings never starts anything.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import OperationalError

from config.embedded_postgres.programs import DevDbError
from config.embedded_postgres.server import Server
from inbox.db.session_proof import refusal

# These work without a database; any other command may need one.
COMMANDS_WITHOUT_DATABASE = {"help", "version", "--version", "devdb", "sql_grants", "collectstatic"}
# As of a command that finds no database (inbox/management/base.py).
EXIT_UNFIT = 4


@contextmanager
def ends_if_unfit() -> Iterator[None]:
    """Leave the process with what to do, if the database is set so that no session may work there."""
    try:
        yield
    except OperationalError as error:
        text = refusal(error)
        if text is None:
            raise
        sys.stderr.write(f"manage.py: {text}\n")
        sys.exit(EXIT_UNFIT)


def start_database_for(argv: list[str]) -> None:
    """Start the embedded server if the settings use it and the command line `argv` names a command that needs it.

    Raises ImproperlyConfigured for bad settings; leaves the process with a readable text if the server can't start.
    """
    command = argv[1] if len(argv) > 1 else "help"
    if not settings.USES_EMBEDDED_DATABASE or command in COMMANDS_WITHOUT_DATABASE or "--help" in argv or "-h" in argv:
        return
    server = Server.of_project(settings.BASE_DIR)
    try:
        if server.start():
            sys.stderr.write(f"Started the embedded PostgreSQL in {server.home}; `manage.py devdb stop` stops it.\n")
    except DevDbError as error:
        sys.exit(f"manage.py: {error}")
