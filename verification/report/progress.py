"""Shows on stderr how far the proofs or the audit are: one line that is rewritten on a terminal, else plain lines."""

import sys
import time
from collections.abc import Callable, Sequence
from typing import Self

from inbox.monitoring.terminal import WIDTH, clip
from verification.report.words import took
from verification.results import ProofResult
from verification.row import Row

CLEAR_LINE = "\r\x1b[K"
# Where lines can't be rewritten.
LINE_EVERY_S = 5.0


class ProofProgress:
    """A context manager. `say` takes what is being done; `proved` takes each result."""

    def __init__(self, rows: Sequence[Row], *, is_shown: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._titles = {row.key: f"{row.number} {row.title}" for row in rows}
        self._all = sum(len(row.proofs) for row in rows)
        self._done = 0
        self._is_shown = is_shown
        self._is_terminal = sys.stderr.isatty()
        self._clock = clock
        self._began = self._last_line = clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        if self._is_shown and self._is_terminal:
            self._write(CLEAR_LINE)

    def say(self, text: str) -> None:
        """Show what is being done now; where lines can't be rewritten, only if there was no line for a while."""
        if not self._is_shown:
            return
        if self._is_terminal:
            self._write(CLEAR_LINE + clip(f"{self._where()} {text}", WIDTH - 1))
        elif self._clock() - self._last_line >= LINE_EVERY_S:
            self._line(text)

    def proved(self, result: ProofResult) -> None:
        """Count a result."""
        self._done += 1
        if self._is_shown and not self._is_terminal:
            self._line(f"{self._titles.get(result.row, result.row)}: {result.race}: {result.verdict}")

    def _line(self, text: str) -> None:
        self._last_line = self._clock()
        self._write(clip(f"{self._where()} {text}", 2 * WIDTH) + "\n")

    def _where(self) -> str:
        since = took(self._clock() - self._began)
        return f"[{self._done}/{self._all}, {since}]" if self._all else f"[{since}]"

    @staticmethod
    def _write(text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
