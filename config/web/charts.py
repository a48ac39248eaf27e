"""Bars for the front page: their places in a picture of 480 by 120, and the labels.

Colours are left to CSS classes, so that light and dark follow the admin's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, BASE = 480, 100


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle; `kind` is its CSS class, and `title` is shown when the pointer is on it."""

    x: str
    y: str
    width: str
    height: str
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Stacked bars. `sums` are the totals by kind; `top` is the value at the upper edge."""

    bars: list[Bar]
    top: int
    start: str
    end: str
    sums: dict[str, int]

    @property
    def summary(self) -> str:
        """The chart in words, for readers who can't see it."""
        return _in_words(self.sums)


def stacked(columns: Sequence[tuple[str, dict[str, int]]]) -> Chart:
    """A chart of columns from left to right: each a label, such as a time, and the parts of which it is made."""
    if not columns:
        return Chart([], 1, "", "", {})
    top = max(sum(parts.values()) for _, parts in columns) or 1
    step = WIDTH / len(columns)
    bars = []
    for position, (label, parts) in enumerate(columns):
        bottom = float(BASE)
        for kind, count in parts.items():
            if count:
                # A single failure among millions must still be seen.
                height = max(count / top * (BASE - 4), 1.5)
                bottom -= height
                x, width = _number(position * step + 0.5), _number(step - 1)
                bars.append(Bar(x, _number(bottom), width, _number(height), kind, f"{label}: {_in_words(parts)}"))
    sums = {kind: sum(parts[kind] for _, parts in columns) for kind in columns[0][1]}
    return Chart(bars, top, columns[0][0], columns[-1][0], sums)


def _in_words(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {kind}" for kind, count in counts.items())


def _number(number: float) -> str:
    """For SVG, whatever decimal point the language of the page has."""
    return f"{number:.1f}"
