"""The head of the report: which server and database this process works on, and how busy the machine is."""

import os

from django.conf import settings
from django.db import connection

# `current_setting` and not `version()`: that names the compiler and the machine too.
SELECT_SERVER = "SELECT current_setting('server_version'), current_database(), current_schema(), current_user"


def server_and_database() -> tuple[str, str]:
    """Such as ("PostgreSQL 18.1", "serviceops at db.example:5432, schema public, as serviceops_web").

    Never a password.
    """
    with connection.cursor() as cursor:
        cursor.execute(SELECT_SERVER)
        version, database, schema, role = cursor.fetchone()
    return f"PostgreSQL {version}", f"{database} at {_address()}, schema {schema}, as {role}"


def _address() -> str:
    if settings.USES_EMBEDDED_DATABASE:
        return "the embedded server"
    host, port = connection.settings_dict["HOST"], connection.settings_dict["PORT"]
    if not host or host.startswith("/"):
        return "a local socket"
    return f"{host}:{port or 5432}"


def load_now() -> float:
    """The load average of the last minute."""
    return os.getloadavg()[0]
