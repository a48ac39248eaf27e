"""Starts the embedded PostgreSQL for a manage.py command. Importing settings never starts anything."""

import sys

from django.conf import settings

from config.embedded_postgres import server as devdb

# These work without a database; every other command may need one.
COMMANDS_WITHOUT_DATABASE = {
    "help",
    "--help",
    "-h",
    "version",
    "--version",
    "devdb",
    "sql_grants",
    "collectstatic",
    "makemessages",
    "compilemessages",
}


def start_database_for(argv: list[str]) -> None:
    """Start the embedded server if the settings use it and the command line `argv` names a command that needs it.

    Raises ImproperlyConfigured for bad settings; leaves the process with a readable text if the server can't start.
    """
    command = argv[1] if len(argv) > 1 else "help"
    uses_embedded_database = settings.USES_EMBEDDED_DATABASE
    if not uses_embedded_database or command in COMMANDS_WITHOUT_DATABASE or "--help" in argv or "-h" in argv:
        return
    server = devdb.server(settings.BASE_DIR)
    try:
        if server.start():
            sys.stderr.write(f"Started the embedded PostgreSQL in {server.home}; `manage.py devdb stop` ends it.\n")
    except devdb.DevDbError as error:
        sys.exit(f"manage.py: {error}")
