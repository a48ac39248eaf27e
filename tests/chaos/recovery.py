"""How soon work went on after each fault."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from tests.chaos.monkey import Struck

MOVES = "SELECT move_id, extract(epoch FROM at)::float8 FROM chaos_move WHERE new_status = 'DONE' ORDER BY move_id"


@dataclass
class Recovery:
    """The longest one of a kind, and the kinds that struck or lasted meanwhile."""

    s: float
    meanwhile: set[str]


def longest_recoveries(url: str, over: Sequence[Struck]) -> dict[str, Recovery]:
    """By kind, the longest time in seconds from the end of a fault to the next job that anybody did.

    The times are those of the server's clock, so moves before the end of a shift of that clock don't count.
    """
    with psycopg.connect(url) as connection:
        moves = connection.execute(MOVES).fetchall()
    ids = [move_id for move_id, _ in moves]
    longest: dict[str, Recovery] = {}
    for fault in over:
        done_at = _first_after(moves[bisect_right(ids, fault.after_move) :], fault.ended_at)
        s = 0.0 if done_at is None else done_at - fault.ended_at
        if done_at is not None and (fault.name not in longest or s > longest[fault.name].s):
            others = {other.name for other in over if other.began_at < done_at and other.ended_at > fault.ended_at}
            longest[fault.name] = Recovery(s, others)
    return longest


def _first_after(moves: Sequence[tuple[int, float]], moment: float) -> float | None:
    return next((at for _, at in moves if at > moment), None)
