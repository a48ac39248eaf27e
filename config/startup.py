"""Starts the embedded PostgreSQL for a manage.py command. Importing settings never starts anything."""

import sys

from django.conf import settings

from config.embedded_postgres.programs import DevDbError
from config.embedded_postgres.server import Server

# These work without a database; any other command may need one.
COMMANDS_WITHOUT_DATABASE = {"help", "version", "--version", "devdb", "sql_grants", "collectstatic"}


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
