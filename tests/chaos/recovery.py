"""How soon work went on after each fault."""

from bisect import bisect_right
from collections.abc import Iterable

import psycopg

from tests.chaos.monkey import Struck

MOVES = "SELECT move_id, extract(epoch FROM at)::float8 FROM chaos_move WHERE new_status = 'DONE' ORDER BY move_id"


def longest_recoveries_s(url: str, over: Iterable[Struck]) -> dict[str, float]:
    """By kind, the longest time in seconds from the end of a fault to the next job that anybody did.

    Faults overlap: while one lasts, work may go on late after another. The times are those of the server's clock, so
    moves before the end of a shift of that clock don't count.
    """
    with psycopg.connect(url) as connection:
        moves = connection.execute(MOVES).fetchall()
    ids = [move_id for move_id, _ in moves]
    longest: dict[str, float] = {}
    for fault in over:
        for _, at in moves[bisect_right(ids, fault.after_move) :]:
            if at > fault.ended_at:
                longest[fault.name] = max(longest.get(fault.name, 0.0), at - fault.ended_at)
                break
    return longest
