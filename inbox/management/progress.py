"""Shows the progress of long work on stderr: a bar on a terminal, else a plain line now and then."""

import sys
import time
from collections.abc import Callable
from typing import Self

from tqdm import tqdm

LINE_EVERY_S = 5.0


class Progress:
    """A context manager; `advance` takes the size of one batch.

    Give the `total` if it is known; else `count_total` says how many are still due.
    """

    def __init__(
        self, *, count_total: Callable[[], int] = lambda: 0, total: int = 0, unit: str = "jobs", is_shown: bool = True
    ) -> None:
        self.unit = f"of {total:,} {unit}" if total else unit
        self.is_shown = is_shown
        self.count_total = count_total
        self.handled = 0
        self._bar: tqdm | None = None
        if is_shown and sys.stderr.isatty():
            self._bar = tqdm(total=total or None, unit=f" {unit}", ncols=78, file=sys.stderr, leave=False)
        self._next_line = time.monotonic() + LINE_EVERY_S

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance(self, batch: int) -> None:
        """Add a batch of so many."""
        self.handled += batch
        if self._bar is not None:
            if self.handled > (self._bar.total or 0):
                self._bar.total = self.handled + self.count_total()
            self._bar.update(batch)
        elif self.is_shown and time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + LINE_EVERY_S
            sys.stderr.write(f"{self.handled:,} {self.unit} so far\n")
