"""A timer: something that is due once, and then every so often."""

import time


class Timer:
    """Due at once, and `every_s` seconds after each restart."""

    def __init__(self, every_s: float) -> None:
        self.every_s = every_s
        self._started_at = float("-inf")

    def due_in_s(self) -> float:
        """Seconds until it is due; 0 if it is."""
        return max(0.0, self._started_at + self.every_s - time.monotonic())

    def is_due(self) -> bool:
        return self.due_in_s() == 0

    def restart(self, every_s: float | None = None) -> None:
        """Count from now on, to `every_s` if it is given."""
        self.every_s = self.every_s if every_s is None else every_s
        self._started_at = time.monotonic()

    def bring_forward(self, s: float) -> None:
        """Be due in `s` seconds, if not before."""
        self._started_at = min(self._started_at, time.monotonic() + s - self.every_s)
