"""Looks at the configured database: objects, settings in force, grants, sequences. Writes nothing.

Runs in a transaction that is READ ONLY, and needs no more than SELECT; what this role may not see is said as a fact.
"""

from collections.abc import Sequence

from django.db import connection, transaction

from verification.findings import SetUp
from verification.row import Row
from verification.set_up.expected import load
from verification.set_up.installed import our_schema, our_tables, read_installed
from verification.set_up.objects import not_of_the_migrations, object_troubles
from verification.set_up.trouble import Trouble, sort_out


def inspect(rows: Sequence[Row]) -> SetUp:
    """What is wrong with the set-up that each of these rows stands on, and the facts of this database."""
    expected = load()
    tables = our_tables()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
        schema = our_schema(tables)
        installed = read_installed(schema, tables)
    troubles = object_troubles(expected.objects, installed)
    for row in rows:
        troubles += [
            Trouble(name, "is made by no migration", "correct the row", concerns=(name,))
            for name in row.objects
            if name not in expected.objects
        ]
    set_up = sort_out(troubles, rows)
    others = not_of_the_migrations(expected.objects, installed)
    if others:
        set_up.facts.append(("not of the migrations", ", ".join(others)))
    return set_up
