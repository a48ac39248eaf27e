"""Turns a database address into Django's settings, with the limits of every session of the project."""

import warnings
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from psycopg import IsolationLevel

from config import process
from config.env import env

SESSION_SETTINGS = (
    # Short transactions only: a statement, a lock wait or an idle transaction that takes longer is an error.
    "-c statement_timeout=30s -c lock_timeout=5s -c idle_in_transaction_session_timeout=30s"
    # A statement whose client has died ends soon, and releases its locks on jobs.
    " -c client_connection_check_interval=1s"
    # So does the session of a client whose network has failed; the system's default is two hours.
    " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
    # The driver reads times in this style only; a role or a server may have another.
    " -c DateStyle=ISO"
)
# Each statement sees what was committed before it, so a transaction that waited for a lock sees what its holder wrote.
# No role, database, server or address can change that: this option stands last, and each BEGIN names the level, too.
# A pooler drops the option, but not the BEGIN.
READ_COMMITTED = "-c default_transaction_isolation=read\\ committed"
CONNECTION_OPTIONS = {
    "connect_timeout": 10,
    # Detects a vanished peer after 25 s; DB_CLIENT_DEADLINE detects one whose kernel still acknowledges.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,  # milliseconds
}


def database(name: str, url: str, kind: str = process.COMMAND) -> dict[str, Any]:
    """Django's settings for the address `url`, the value of the setting `name`. Raises ImproperlyConfigured.

    Sessions carry the kind of this process as their name, whatever the address says: they are counted by it.
    """
    with warnings.catch_warnings():
        # Its warning about an unknown address quotes the address, which may hold a password.
        warnings.simplefilter("ignore")
        found: dict[str, Any] = env.db_url_config(url)
    if not found.get("ENGINE"):
        raise ImproperlyConfigured(
            f"{name} is no database address; it takes one such as postgresql://user:password@host:5432/serviceops."
        )
    if found["ENGINE"].startswith("django.db.backends.postgresql"):
        found["ENGINE"] = "config.postgresql"
        options = CONNECTION_OPTIONS | found.get("OPTIONS", {})
        options["options"] = " ".join(filter(None, [SESSION_SETTINGS, options.get("options"), READ_COMMITTED]))
        options["isolation_level"] = IsolationLevel.READ_COMMITTED
        options["application_name"] = f"{process.NAME}-{kind}"
        found["OPTIONS"] = options
        # Behind a pooler the next statement may find another session, without the cursor.
        found["DISABLE_SERVER_SIDE_CURSORS"] = True
    return found


def web_pool(size: int) -> dict[str, Any]:
    """Django's setting for a pool of at most `size` sessions per process.

    A request waits longer for a session than connect_timeout, so that the next server of the address is tried if the
    first never answers. The pool soon stops reconnecting by itself: its pauses double, up to minutes after the database
    is back; the next request makes it reconnect at once.
    """
    return {"min_size": 1, "max_size": size, "timeout": 25, "reconnect_timeout": 5, "max_idle": 300}
