"""Row 8, watermark updates.

Two ingests at once   A  locks the watermark             | is held before it reads
                      B  ingests                         | waits for A, and finds nothing left
Both orders           A  sends a new row, and W ingests  | A goes first in one order, B in the other;
                      B  sends a late row, and W ingests | as if an hour ago was half a second ago
Equal times           A  sends row 1, and W ingests
                      B  sends row 2, and W ingests      | it has the time of the mark, and a higher id
Behind the mark       A  begins, and sends a row
                      B  sends another, and W ingests    | the mark has passed A's row; A commits, and W ingests
"""

from functools import partial

from verification.proof.stage import Stage
from verification.protections.ingest import MOVES_FORWARD, OVERLAP, READS_EQUAL_TIMES, WAITS, WATERMARK_PER_COLUMN
from verification.row import Proof, Row
from verification.source_rows import ago, clear, lost, new_message_ids, on_empty_tables, poll, poll_behind, send
from verification.source_rows import watermark as mark
from verification.steps import begin, commit


@on_empty_tables
def two_ingests_at_once(stage: Stage) -> list[str]:
    """The second waits for the first, and reads no row that the first is making jobs of."""
    poll()
    send(*(rows := new_message_ids(2)))
    with stage.hold("inbox.engine.ingest:statement", only=("A",)):
        for session in "AB":
            stage.start(session, poll)
        broken = [] if stage.is_waiting("B") else ["the second reads rows while the first is at them"]
        stage.go("A")
    [stage.end(session).get() for session in "AB"]
    return broken + lost(*rows)


@on_empty_tables
def mark_moves_in_both_orders(stage: Stage) -> list[str]:
    """Whichever of a new row and a late one is taken first, the mark ends at the new one."""
    broken = []
    for order in ("AB", "BA"):
        clear()
        late, new = new_message_ids(2)
        rows = {"A": (new, time := ago(minutes=2)), "B": (late, ago(minutes=8))}
        for session in order:
            row, at = rows[session]
            stage.do(session, partial(send, row, at=at))
            stage.do("W", poll_behind)
        broken += lost(late, new) if mark() == (time, new) else [f"{order}: the mark is at row {mark()[1]}"]
    return broken


@on_empty_tables
def rows_of_equal_times(stage: Stage) -> list[str]:
    """A row that has the time of the mark and a higher id is read by the next poll."""
    low, middle, high = new_message_ids(3)
    send(high, at=ago(minutes=6))
    stage.do("A", partial(send, low, at=(time := ago(minutes=5))))
    stage.do("W", poll)
    stage.do("B", partial(send, middle, at=time))
    stage.do("W", poll)
    return lost(low, middle, high)


@on_empty_tables
def commit_behind_the_mark(stage: Stage) -> list[str]:
    """A row that commits a moment after the mark has passed it is read by the next poll."""
    early, later = new_message_ids(2)
    began = ago()
    stage.do("A", begin)
    stage.do("A", partial(send, early))
    stage.do("B", partial(send, later))
    stage.do("W", poll)
    stage.do("A", commit)
    stage.do("W", poll)
    # On a machine that has stood still for longer, it is left to the lookback.
    return lost(early) if began > ago(seconds=0.5) else []


ROW = Row(
    key="watermark",
    number="8",
    title="Watermark updates",
    promise="No ingest reads rows that another is taking; the mark is a pair, and never moves back.",
    mechanism="A row lock on poll_watermark that waits; a guarded UPDATE of the pair in the ingest's transaction.",
    code=("inbox.engine.ingest:LOCK_WATERMARK", "inbox.engine.ingest:INSERT_JOBS"),
    objects=("constraint poll_watermark_is_a_pair", "index integration_send_order"),
    proofs=[
        Proof(two_ingests_at_once, without=[WAITS]),
        Proof(mark_moves_in_both_orders, without=[MOVES_FORWARD]),
        Proof(rows_of_equal_times, without=[WATERMARK_PER_COLUMN, READS_EQUAL_TIMES]),
        Proof(commit_behind_the_mark, without=[OVERLAP]),
    ],
)
