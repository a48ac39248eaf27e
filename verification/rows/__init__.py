"""The rows of the report, in its order. One file each; a reader must see the interleaving."""

from verification.row import Row
from verification.rows import claiming, connections, operators, sweep, watched, watermark

ROWS: tuple[Row, ...] = tuple(module.ROW for module in (claiming, watermark, connections, watched, sweep, operators))
