"""Something to do at once, and then every so often."""

import time


class Timer:
    """Due at once, and `every_s` seconds after each time it was done."""

    def __init__(self, every_s: float) -> None:
        self.every_s = every_s
        self._done_at = float("-inf")

    def due_in_s(self) -> float:
        """Seconds until it is due; 0 if it is."""
        return max(0.0, self._done_at + self.every_s - time.monotonic())

    def is_due(self) -> bool:
        return self.due_in_s() == 0

    def done(self) -> None:
        """It has just been done."""
        self._done_at = time.monotonic()

    def bring_forward(self, s: float) -> None:
        """Be due in `s` seconds, if not before."""
        self._done_at = min(self._done_at, time.monotonic() + s - self.every_s)
