"""Turns a database address into Django's settings, with what every session of the project asks for."""

import os
import warnings
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from psycopg import IsolationLevel

from config import process
from config.env import env
from inbox.db import session_settings

CONNECTION_OPTIONS = {
    "connect_timeout": 10,
    # Detects a vanished peer after 25 s; DB_CLIENT_DEADLINE detects one whose kernel still acknowledges.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,  # milliseconds
}

# libpq sends these of the environment besides the options, which they outrank; a pooler then follows them, or refuses.
SENT_FROM_ENVIRONMENT = ("PGTZ", "PGDATESTYLE", "PGGEQO")


def database(name: str, url: str, kind: str = process.COMMAND) -> dict[str, Any]:
    """Django's settings for the address `url`, the value of the setting `name`. Raises ImproperlyConfigured.

    Sessions carry the kind of this process as their name, whatever the address says: they are counted by it. Takes
    SENT_FROM_ENVIRONMENT out of the environment of this process.
    """
    for variable in SENT_FROM_ENVIRONMENT:
        os.environ.pop(variable, None)
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
        options["options"] = session_settings.options(options.get("options") or "")
        # Each BEGIN names the level, too: a client that changes its session's default changes none of ours.
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
