"""The protection of isolation: every session of the product runs at READ COMMITTED (inbox/db/session_settings.py)."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from django.db import connections

from verification.patches import patched
from verification.row import Protection

NAME = "default_transaction_isolation"
OPTION = r"-c default_transaction_isolation=read\ committed"


@contextmanager
def _without_level() -> Iterator[None]:
    """New sessions run at what their database is set to. Raises LookupError if nothing was set against that."""
    options = connections.settings["default"]["OPTIONS"]
    if OPTION not in options["options"] or "isolation_level" not in options:
        raise LookupError("the sessions of this process have no isolation level of their own any more")
    plain = {name: value for name, value in options.items() if name != "isolation_level"}
    without = plain | {"options": options["options"].replace(OPTION, "")}
    with (
        patch.dict(connections.settings["default"], OPTIONS=without),
        patched(
            "inbox.db.session_settings:SESSION_SETTINGS", lambda all: tuple(one for one in all if one.name != NAME)
        ),
    ):
        yield


READ_COMMITTED = Protection(
    "read-committed",
    "each session and each BEGIN names READ COMMITTED, whatever role, database or server is set to",
    _without_level,
)
