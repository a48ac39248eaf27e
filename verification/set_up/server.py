"""The server and the state of the database: facts for the head of the report, and what endangers all of it."""

from functools import cache

from django.db import DatabaseError, connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from verification.set_up.installed import APPS
from verification.set_up.trouble import Trouble

# The oldest that the tests run on.
LOWEST_VERSION = 150000

SELECT_SERVER = """
SELECT current_setting('server_version'), current_setting('server_version_num')::int, current_database(), session_user,
       current_user, quote_ident(nspname), pg_is_in_recovery(), current_setting('data_checksums'),
       current_setting('synchronous_standby_names'),
       ARRAY(SELECT name FROM unnest(ARRAY['fsync', 'full_page_writes']) AS name WHERE current_setting(name) = 'off')
  FROM pg_namespace WHERE oid = %s
"""


def server_facts(schema: int) -> tuple[list[tuple[str, str]], list[Trouble]]:
    """Facts of the server for the head of the report, and troubles with it."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_SERVER, [schema])
        words, number, database, login, role, schema_name, is_standby, checksums, standbys, unsafe = cursor.fetchone()
    facts = [
        ("server", f"PostgreSQL {words}" + (", a standby" if is_standby else "")),
        ("database", f"{database}, schema {schema_name}"),
        ("role", login if login == role else f"{role}, logged in as {login}"),
        ("data checksums", checksums),
        ("synchronous standbys", standbys or "none"),
    ]
    # A throw-away server, as of pg_virtualenv, rightly has fsync off; no lock stands on it.
    if unsafe:
        resets = " ".join(f"ALTER SYSTEM RESET {name};" for name in unsafe)
        danger = "what was committed may be gone after a crash of the machine"
        facts.append(("not for production", f"{' and '.join(unsafe)} off: {danger}. {resets} SELECT pg_reload_conf();"))
    troubles = []
    if number < LOWEST_VERSION:
        what = f"is {words}; ServiceOps is tested with {LOWEST_VERSION // 10000} and newer"
        troubles.append(Trouble("server version", what, "upgrade the server", row="claiming"))
    return facts + _migrations(), troubles


def _migrations() -> list[tuple[str, str]]:
    """Whether the database is that of this version: another one may rightly have other definitions."""
    try:
        with transaction.atomic():
            recorded = MigrationRecorder(connection).applied_migrations()
    except DatabaseError:
        return [("migrations", "unknown: this role may not read django_migrations")]
    known, applied = _known_migrations(), {key for key in recorded if key[0] in APPS}
    parts = [
        f"{words}: " + ", ".join(".".join(key) for key in sorted(keys))
        for words, keys in (("not applied", known - applied), ("of another version", applied - known))
        if keys
    ]
    return [("migrations", "; ".join(parts) or "all applied, and no others")]


@cache
def _known_migrations() -> set[tuple[str, str]]:
    return {key for key in MigrationLoader(None).disk_migrations if key[0] in APPS}
