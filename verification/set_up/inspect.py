"""Looks at the configured database: objects, settings in force, grants, sequences. Writes nothing.

Runs in a transaction that is READ ONLY, and needs no more than SELECT; what this role may not see is said as a fact.
"""

from collections.abc import Sequence

from django.db import connection, transaction

from verification.findings import SetUp
from verification.row import Row
from verification.set_up.expected import Expected, load
from verification.set_up.in_force import Settings
from verification.set_up.installed import our_schema, our_tables, read_installed
from verification.set_up.numbers import number_troubles
from verification.set_up.objects import not_of_the_migrations, object_troubles, of_another_hand
from verification.set_up.paths import path_troubles
from verification.set_up.rights import read_rights, right_troubles
from verification.set_up.roles import GROUPS, OUR_GROUPS, read_logins, read_prefixes
from verification.set_up.server import server_facts
from verification.set_up.trouble import Trouble, is_called, sort_out
from verification.set_up.watched import NAMES, in_words, setting_troubles

Facts = list[tuple[str, str]]


def inspect(rows: Sequence[Row]) -> SetUp:
    """Findings of the set-up that each of these rows stands on, and the facts of this database."""
    expected, tables = load(), our_tables()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
        schema = our_schema(tables)
        facts, troubles = server_facts(schema)
        troubles += _unknown_objects(expected, rows)
        for more_facts, more_troubles in (
            _objects(expected, schema, tables),
            _roles(expected, schema, tables),
            _numbers(),
        ):
            facts += more_facts
            troubles += more_troubles
    sorted_out = sort_out(troubles, rows)
    return SetUp(sorted_out.findings, [*facts, *sorted_out.facts])


def _unknown_objects(expected: Expected, rows: Sequence[Row]) -> list[Trouble]:
    return [
        Trouble(name, "is made by no migration", "correct the row", concerns=(name,))
        for row in rows
        for name in row.objects
        if not any(is_called(known, name) for known in expected.objects)
    ]


def _objects(expected: Expected, schema: int, tables: Sequence[str]) -> tuple[Facts, list[Trouble]]:
    installed = read_installed(schema, tables)
    others = not_of_the_migrations(expected.objects, installed)
    facts = [("not of the migrations", ", ".join(others))] if others else []
    return facts, object_troubles(expected.objects, installed) + of_another_hand(expected.objects, installed)


def _roles(expected: Expected, schema: int, tables: Sequence[str]) -> tuple[Facts, list[Trouble]]:
    """Settings in force, and grants."""
    prefixes = read_prefixes(schema, tables)
    logins = read_logins(schema, tables, prefixes)
    settings = Settings(NAMES)
    troubles = setting_troubles(settings, logins) + path_troubles(settings, logins, schema, tables)
    groups = [prefix + group for prefix in prefixes for group in GROUPS]
    sequences = [one.bare_name for one in expected.objects.values() if one.kind == "sequence"]
    read = read_rights(schema, tables, sequences, groups + [login.name for login in logins])
    troubles += right_troubles(expected.rights, read, prefixes, logins)
    for login in logins:
        if set(login.groups) & set(OUR_GROUPS) and not login.sees_all_sessions:
            danger = "the connections of all processes are counted, with the oldest first"
            mend = f"as a superuser: GRANT pg_read_all_stats TO {login.name};"
            about, what = f"grants of {login.name}", "lacks pg_read_all_stats"
            troubles.append(Trouble(about, what, mend, danger, row="connections"))
    facts = [("grants", ", ".join(f"as of sql_grants, for {prefix}*" for prefix in prefixes) or "never given")]
    outside = [login.name for login in logins if not login.groups]
    facts += [("writers in no group", ", ".join(outside))] if outside else []
    facts += [(f"settings of {login.name}", in_words(settings, login)) for login in logins]
    return facts, troubles


def _numbers() -> tuple[Facts, list[Trouble]]:
    troubles, unseen = number_troubles()
    return [("numbers that this role may not look at", ", ".join(unseen))] if unseen else [], troubles
