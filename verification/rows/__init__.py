"""The rows of the report. One file each, which is found by itself; a reader must see the interleaving."""

from importlib import import_module
from pkgutil import iter_modules

from verification.row import Row


def _place(row: Row) -> tuple[int, int]:
    """1, 2, … first, then the recommendations R1, R2, …, then P1, P2, …: what the project has beyond them."""
    kind = row.number.rstrip("0123456789")
    return ("", "R", "P").index(kind), int(row.number.removeprefix(kind))


ROWS: tuple[Row, ...] = tuple(
    sorted((import_module(f"{__name__}.{module.name}").ROW for module in iter_modules(__path__)), key=_place)
)
