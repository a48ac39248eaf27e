"""Settings that somebody made for a role or a database, each with a value that would do harm."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from django.db import connection

HARMFUL = {
    "statement_timeout": "1ms",
    "lock_timeout": "1ms",
    "idle_in_transaction_session_timeout": "1ms",
    "client_connection_check_interval": "0",
    "tcp_keepalives_idle": "7200",
    "tcp_keepalives_interval": "75",
    "tcp_keepalives_count": "9",
    "idle_session_timeout": "1ms",
    # Long enough for a busy machine to put it right.
    "transaction_timeout": "10s",
    "default_transaction_isolation": "repeatable read",
    "default_transaction_read_only": "on",
    "synchronous_commit": "off",
    "session_replication_role": "replica",
    "inbox.recorded_move": "yes",
    "exit_on_error": "on",
    "row_security": "off",
    "DateStyle": "German, DMY",
    "IntervalStyle": "iso_8601",
    "TimeZone": "Pacific/Apia",
    "client_encoding": "LATIN1",
    "standard_conforming_strings": "off",
    "bytea_output": "escape",
    "extra_float_digits": "-15",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "quote_all_identifiers": "on",
}
TARGETS = ("DATABASE {database}", "ROLE CURRENT_USER IN DATABASE {database}")


def known(names) -> list[str]:
    """Those that this server has."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_settings WHERE name = ANY(%s)", [list(names)])
        return [*(name for (name,) in cursor.fetchall()), *(name for name in names if "." in name)]


@contextmanager
def harmed(target: str, *names: str) -> Iterator[None]:
    """New sessions get harmful values of these settings, unless they ask for others. The default connection is new."""
    target = target.format(database=connection.ops.quote_name(connection.settings_dict["NAME"]))
    # Plans of unknown tables seem dear enough to be compiled, which takes longer than they do.
    _execute(f"ALTER {target} SET jit = off", *(f"ALTER {target} SET {name} = '{HARMFUL[name]}'" for name in names))
    try:
        yield
    finally:
        _execute(f"ALTER {target} RESET ALL")


def _execute(*statements: str) -> None:
    with closing(connection.copy()) as admin, admin.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.close()
