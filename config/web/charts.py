"""Bars for the front page: where each goes in a picture of 480 by 120, and what a label beside it says.

Colours are left to CSS classes, so that light and dark follow the admin's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, BASE = 480, 120, 100


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle; `kind` is its CSS class, and `title` what is shown when it is pointed at."""

    x: str
    y: str
    width: str
    height: str
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Stacked bars. `sums` says in words what can be seen, by kind; `top` is the value at the upper edge."""

    bars: list[Bar]
    top: int
    start: str
    end: str
    sums: dict[str, int]

    @property
    def summary(self) -> str:
        """For who can't see it."""
        return ", ".join(f"{count:,} {kind}" for kind, count in self.sums.items())


def stacked(columns: Sequence[tuple[str, dict[str, int]]]) -> Chart:
    """A chart of columns from left to right: each a label, such as a time, and the parts of which it is made."""
    top = max((sum(parts.values()) for _, parts in columns), default=0) or 1
    step = WIDTH / max(len(columns), 1)
    bars = []
    for position, (label, parts) in enumerate(columns):
        bottom = float(BASE)
        title = f"{label}: " + ", ".join(f"{count:,} {kind}" for kind, count in parts.items())
        for kind, count in parts.items():
            # A single failure among millions must still be seen.
            height = max(count / top * (BASE - 4), 1.5) if count else 0.0
            bottom -= height
            if count:
                bars.append(Bar(_n(position * step + 0.5), _n(bottom), _n(step - 1), _n(height), kind, title))
    kinds = columns[0][1] if columns else {}
    sums = {kind: sum(parts[kind] for _, parts in columns) for kind in kinds}
    start, end = (columns[0][0], columns[-1][0]) if columns else ("", "")
    return Chart(bars, top, start, end, sums)


def _n(number: float) -> str:
    """For SVG, whatever the language of the page writes for a decimal point."""
    return f"{number:.1f}"
