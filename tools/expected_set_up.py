"""python -m tools.expected_set_up: writes down what the migrations and sql_grants make, for `verify_locks`.

Works on a scratch database beside the configured one, and drops it again. Run it after a migration that makes or
changes a table, an index, a constraint, a trigger or a function, and after a change of grants.sql.
"""

import os
import sys
from urllib.parse import urlsplit

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection

    from verification.proof.scratch import scratch_database
    from verification.set_up.expected import FILE, as_text
    from verification.set_up.installed import our_schema, our_tables, read_installed

    tables = our_tables()
    with scratch_database(settings.DATABASE_DIRECT_URL or settings.DATABASE_URL) as url:
        connection.settings_dict["NAME"] = urlsplit(url).path[1:]
        call_command("migrate", verbosity=0)
        FILE.write_text(as_text(read_installed(our_schema(tables), tables), {}))
        connection.close()
    sys.stdout.write(f"wrote {FILE.relative_to(settings.BASE_DIR)}\n")


if __name__ == "__main__":
    main()
