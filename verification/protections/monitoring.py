"""The parts of the monitoring that tell what is wrong, each taken out in turn."""

from verification.patches import patched, without_text
from verification.row import Protection

COUNTS_DEADLOCKS = Protection(
    "counts-deadlocks",
    "the deadlocks that the server broke are read from its statistics",
    lambda: without_text("inbox.monitoring.history:SELECT_SERVER", "coalesce(max(deadlocks), 0)", "0::bigint"),
)
TELLS_OLD_CLAIMS = Protection(
    "tells-old-claims",
    "a claim that is older than any reclaimer would leave it is a stall",
    lambda: patched("inbox.monitoring.diagnosis:_old_claims", lambda plain: list),
)
TELLS_OLD_TRANSACTIONS = Protection(
    "tells-old-transactions",
    "the oldest transaction is looked for, and told when it is old",
    lambda: without_text("inbox.monitoring.transactions:SELECT_OLDEST", "xact_start IS NOT NULL", "false"),
)
TELLS_SCARCE_CONNECTIONS = Protection(
    "tells-scarce-connections",
    "the sessions of all processes are compared with their share",
    lambda: patched("inbox.db.connection_budget:Connections.used", lambda plain: 0.0),
)
