"""The schemas of the search_path, in the scratch database: an address or a role may name one that is not public."""

from django.db import connection
from psycopg.sql import SQL, Identifier

from verification.set_up.paths import names_in


def make_schemas() -> None:
    """Make those that are missing, so that migrations have a place for the tables."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW search_path")
        for name in names_in(cursor.fetchone()[0]):
            if not name.startswith(("$", "pg_")):
                cursor.execute(SQL("CREATE SCHEMA IF NOT EXISTS {}").format(Identifier(name)))
