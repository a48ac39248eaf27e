"""The rows of the report, in its order. One file each; a reader must see the interleaving."""

from verification.row import Row
from verification.rows import (
    claiming,
    connections,
    insert,
    once,
    operators,
    owner,
    pause,
    reclaimer,
    status,
    sweep,
    watched,
    watermark,
)

ROWS: tuple[Row, ...] = tuple(
    module.ROW
    for module in (
        claiming,
        insert,
        reclaimer,
        status,
        watermark,
        connections,
        owner,
        once,
        watched,
        sweep,
        pause,
        operators,
    )
)
