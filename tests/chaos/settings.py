"""The project's settings, with a source of the chaos test and everything that waits made short."""

import os

from tests.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.chaos.app.ChaosConfig"]  # noqa: F405
INBOX_STALE_AFTER = 2.0
INBOX_LOOKBACK = 20.0
# Looks at all rows, or at all that wait, must be rarer in a longer run, which has more of them.
INBOX_RECONCILE_EVERY = float(os.environ.get("CHAOS_RECONCILE_EVERY", "4"))
INBOX_BACKOFF = (0.2, 0.5, INBOX_RECONCILE_EVERY / 4)
# Small ones, so that a short run has many claims.
INBOX_BATCH_SIZE = int(os.environ.get("CHAOS_BATCH_SIZE", "50"))
INBOX_POLL_INTERVAL = 0.2
# Shorter than a network of the chaos test swallows everything.
DB_CLIENT_DEADLINE = 8.0
