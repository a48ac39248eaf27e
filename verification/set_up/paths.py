"""The search_path of each role: whether it finds our tables by their plain names, and not others of the same name."""

import re
from collections.abc import Sequence

from django.db import connection

from verification.set_up.in_force import Settings, quoted
from verification.set_up.roles import Login
from verification.set_up.trouble import Trouble

SELECT_PLACES = """
SELECT nspname, array_agg(relname::text) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
 WHERE relname = ANY(%(tables)s) AND relkind IN ('r', 'p', 'v', 'm', 'f') GROUP BY nspname, pg_namespace.oid
"""
SELECT_SCHEMA = "SELECT nspname FROM pg_namespace WHERE oid = %s"
SELECT_USABLE = "SELECT nspname FROM pg_namespace WHERE nspname = ANY(%s) AND has_schema_privilege(%s, oid, 'USAGE')"
NAME = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^",\s]+))\s*(?:,|$)')


def path_troubles(settings: Settings, logins: Sequence[Login], schema: int, tables: Sequence[str]) -> list[Trouble]:
    """Roles whose plain names find no table of ours, or another one. None if there is no such table at all."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_SCHEMA, [schema])
        (ours,) = cursor.fetchone()
        cursor.execute(SELECT_PLACES, {"tables": list(tables)})
        places: dict[str, list[str]] = dict(cursor.fetchall())
    if not places:
        return []
    troubles = []
    for login in logins:
        found = settings.of(login, "search_path")
        path = [login.name if name == "$user" else name for name in names_in(found.value)]
        with connection.cursor() as cursor:
            cursor.execute(SELECT_USABLE, [path, login.name])
            usable = {name for (name,) in cursor.fetchall()}
        path = [name for name in path if name in usable and name in places]
        if path[:1] == [ours]:
            continue
        where = f"finds tables of ours in schema {path[0]} first" if path else "finds no table of ours"
        troubles.append(
            Trouble(
                f"setting search_path of role {login.name}",
                f"{where}, where they are in {ours}; it is '{found.value}', set by {found.set_by}",
                found.reset or f"ALTER ROLE {quoted(login.name)} SET search_path = {ours};",
                "all processes work on the same tables",
                concerns=("search_path",),
                row="claiming",
            )
        )
    return troubles


def names_in(path: str) -> list[str]:
    """The schemas of a search_path, without quotes; an unquoted name is lower case."""
    found = [one for one in NAME.findall(path) if any(one)]
    return [in_quotes.replace('""', '"') if in_quotes else plain.lower() for in_quotes, plain in found]
