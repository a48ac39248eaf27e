"""An outage: something fails again and again. One line at its begin, lines with growing pauses, one when it is over.

Each worker has its own, so a line per try would be a flood: hundreds of workers try every second.
"""

import time
from typing import Any

from inbox.events import Event, emit

# Seconds from one line to the next: 10, 20, 40, … and at most ten minutes.
FIRST_PAUSE_S = 10.0
LONGEST_PAUSE_S = 600.0


class Outage:
    """`goes_on` and `over` are the events after the first. One at a time; `count` is how often it has failed so far."""

    def __init__(self, goes_on: Event, over: Event) -> None:
        self.count = 0
        self._goes_on = goes_on
        self._over = over
        self._began_at = self._next_line_at = 0.0
        self._pause_s = FIRST_PAUSE_S

    @property
    def lasted_s(self) -> float:
        """Seconds since it began, by the clock of this process."""
        return round(time.monotonic() - self._began_at, 1) if self.count else 0.0

    def failed(self, event: Event, **facts: Any) -> None:
        """It has failed, once more or for the first time; `event` is the one of the first time."""
        self.count += 1
        now = time.monotonic()
        if self.count == 1:
            self._began_at, self._pause_s = now, FIRST_PAUSE_S
            emit(event, **facts)
        elif now >= self._next_line_at:
            self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)
            emit(self._goes_on, count=self.count, lasted_s=self.lasted_s, **facts)
        else:
            return
        self._next_line_at = now + self._pause_s

    def ended(self, **facts: Any) -> None:
        """It has worked: tell it if it had failed before."""
        if self.count:
            emit(self._over, count=self.count, lasted_s=self.lasted_s, **facts)
            self.count = 0
