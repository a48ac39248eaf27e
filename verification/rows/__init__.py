"""The rows of the report, in its order. One file each; a reader must see the interleaving."""

from verification.row import Row
from verification.rows import (
    claiming,
    connections,
    heartbeat,
    operators,
    pause,
    presence,
    sweep,
    wake,
    watched,
    watermark,
)

ROWS: tuple[Row, ...] = tuple(
    module.ROW
    for module in (
        claiming,
        watermark,
        connections,
        watched,
        presence,
        wake,
        sweep,
        heartbeat,
        pause,
        operators,
    )
)
