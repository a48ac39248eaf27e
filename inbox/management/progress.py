"""Shows how long work goes on: a bar on a terminal, a plain line now and then elsewhere."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tqdm import tqdm

LINE_EVERY_S = 5.0


class Progress:
    """A context manager; `advance` takes the size of one batch. `count_total` says how many are still due."""

    def __init__(self, *, is_shown: bool, label: str, count_total: Callable[[], int]) -> None:
        self.is_shown = is_shown
        self.label = label
        self.count_total = count_total
        self.handled = 0
        self._bar: tqdm | None = None
        self._next_line = time.monotonic() + LINE_EVERY_S

    def __enter__(self) -> Self:
        if self.is_shown and sys.stderr.isatty():
            self._bar = tqdm(unit=f" {self.label}", ncols=78, file=sys.stderr, leave=False)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
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
            sys.stderr.write(f"{self.handled:,} {self.label} so far\n")
