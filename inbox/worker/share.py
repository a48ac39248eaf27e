"""Share: how much of a worker's time may go to sweeps while it has a backlog."""

import time

# The part of the time that passes. The rest is for the work, which is why a worker is there.
SHARE = 0.1
# A batch may take long; so much of its time counts for the steps that follow it.
SAVED_S = 60.0


class Share:
    """Allows a step once the ones before it have become a `share` of the time that has passed."""

    def __init__(self, share: float = SHARE) -> None:
        self._share = share
        self._free_at = time.monotonic()

    @property
    def is_free(self) -> bool:
        """A step may begin."""
        return time.monotonic() >= self._free_at

    def spend(self, s: float) -> None:
        """A step has taken `s` seconds. The time that steps took beyond their share before that is forgiven."""
        now = time.monotonic()
        self._free_at = min(max(self._free_at, now - SAVED_S), now) + s / self._share
