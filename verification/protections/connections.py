"""Protections of the connection budget."""

from dataclasses import replace

from verification.patches import patched, without_text
from verification.row import Protection

STARTS_IN_ITS_SHARE = Protection(
    "starts-in-its-share",
    "a process counts the sessions of all, and starts only within the share",
    lambda: patched("inbox.db.connection_budget:Connections.may_start", lambda plain: True),
)
OLDEST_FIRST = Protection(
    "oldest-first",
    "of many that count at once, the oldest sessions stay",
    lambda: without_text(
        "inbox.db.connection_budget:COUNT_SESSIONS",
        "AND (born, pid) <= (SELECT born, pid FROM session WHERE pid = pg_backend_pid())",
    ),
)
KEEPS_THE_RESERVE = Protection(
    "keeps-the-reserve",
    "what is kept for the web is no part of the share",
    lambda: patched("inbox.db.connection_budget:Connections.share", lambda plain: property(lambda self: self.budget)),
)
COUNTS_ITS_SECOND = Protection(
    "counts-its-second",
    "a worker that has opened its second connection counts again, and closes it if there are too many",
    lambda: patched("inbox.worker.presence:count_connections", lambda plain: lambda: replace(plain(), budget=10**6)),
)
