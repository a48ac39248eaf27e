"""python -m tools.expected_set_up: writes down what the migrations and sql_grants make, for `verify_locks`.

Works on a scratch database beside the configured one, and drops it again. Run it after a migration that makes or
changes a table, an index, a constraint, a trigger or a function, and after a change of grants.sql.
"""

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import django

PREFIX = "expected_set_up_"


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection, transaction

    from verification.proof.scratch import scratch_database
    from verification.set_up.expected import FILE, as_text
    from verification.set_up.installed import our_schema, our_tables, read_installed
    from verification.set_up.rights import read_rights
    from verification.set_up.roles import GROUPS

    tables = our_tables()
    with scratch_database(settings.DATABASE_DIRECT_URL or settings.DATABASE_URL) as scratch:
        connection.settings_dict["NAME"] = urlsplit(scratch.direct_url or scratch.url).path[1:]
        call_command("migrate", verbosity=0)
        with transaction.atomic():
            # The groups are made for all databases of the server, so this is rolled back.
            with connection.cursor() as cursor:
                cursor.execute(_grants(settings.BASE_DIR))
            schema = our_schema(tables)
            objects = read_installed(schema, tables)
            sequences = [one.bare_name for one in objects.values() if one.kind == "sequence"]
            rights = read_rights(schema, tables, sequences, [PREFIX + group for group in GROUPS])
            FILE.write_text(as_text(objects, {group: rights[PREFIX + group] for group in GROUPS}))
            transaction.set_rollback(True)
        connection.close()
    sys.stdout.write(f"wrote {FILE.relative_to(settings.BASE_DIR)}\n")


def _grants(base: Path) -> str:
    """The output of `sql_grants`, for groups that nobody has, and without a transaction of its own."""
    text = (base / "config/postgresql/grants.sql").read_text().replace("serviceops_", PREFIX)
    return text.replace("\nBEGIN;\n", "\n").replace("\nCOMMIT;\n", "\n")


if __name__ == "__main__":
    main()
