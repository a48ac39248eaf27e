"""The rows of the report. One file each, which is found by itself; a reader must see the interleaving."""

from dataclasses import replace
from importlib import import_module
from pkgutil import iter_modules

from verification.row import Row
from verification.set_up.belongs import objects_of


def _place(row: Row) -> tuple[int, int]:
    """1, 2, … first, then the recommendations R1, R2, …, then P1, P2, …: what the project has beyond them."""
    kind = row.number.rstrip("0123456789")
    return ("", "R", "P").index(kind), int(row.number.removeprefix(kind))


def _rows() -> list[Row]:
    rows = [import_module(f"{__name__}.{module.name}").ROW for module in iter_modules(__path__)]
    return sorted((replace(row, objects=objects_of(row.key, row.objects)) for row in rows), key=_place)


ROWS: tuple[Row, ...] = tuple(_rows())
