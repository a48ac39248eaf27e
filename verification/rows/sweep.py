"""Row P3, sweep: who does it, and what it finds.

Turn     H        locks the watermark
         A … H    ask whose turn it is            | each waits for the row
         H        commits                         | one of them has the turn

Finds    A        begins, and sends two rows      | 10 seconds and a day old
         B        sends a row of now, W ingests   | the mark has passed both of A's
         A        commits
         W        ingests, and does its sweeps
"""

from functools import partial

from inbox.engine.ingest import lock_watermark
from inbox.engine.sweep import SweepKind, take_turn
from inbox.models import PollWatermark
from inbox.worker.ingester import Ingester
from verification.proof.stage import Stage
from verification.protections.ingest import LOOKBACK_OFF, RECONCILE_OFF, TURN_IS_GUARDED
from verification.row import Proof, Row
from verification.scenes import SOURCE
from verification.source_rows import ago, lost, new_message_ids, on_empty_tables, poll, send
from verification.steps import begin, commit


@on_empty_tables
def eight_ask_for_the_turn(stage: Stage) -> list[str]:
    """One process gets the turn, also if all ask at once."""
    poll()
    stage.do("holder", begin)
    stage.do("holder", partial(lock_watermark, SOURCE))
    for session in "ABCDEFGH":
        stage.start(session, partial(take_turn, SOURCE, SweepKind.LOOKBACK))
    stage.do("holder", commit)
    got = [session for session in "ABCDEFGH" if stage.end(session).get()]
    return [] if len(got) == 1 else [f"{len(got)} sessions have the turn: {', '.join(got)}"]


@on_empty_tables
def rows_that_commit_late(stage: Stage) -> list[str]:
    """A row behind the mark gets its job by a sweep, and by the right one: only what is very late is an incident."""
    late, very_late, now = new_message_ids(3)
    stage.do("A", begin)
    stage.do("A", partial(send, late, at=ago(seconds=10)))
    stage.do("A", partial(send, very_late, at=ago(days=1)))
    stage.do("B", partial(send, now))
    stage.do("W", poll)
    stage.do("A", commit)
    ingester = Ingester([SOURCE])
    stage.do("W", ingester.ingest)
    stage.do("W", ingester.sweep_to_end)
    broken = lost(late, very_late)
    mark = PollWatermark.objects.get(source=SOURCE.name)
    if not broken and (mark.lookback_finds, mark.reconcile_finds) != (1, 1):
        broken.append(f"the lookback counts {mark.lookback_finds} finds, the reconcile {mark.reconcile_finds}")
    return broken


ROW = Row(
    key="sweep",
    number="P3",
    title="Sweep",
    promise="One process at a time sweeps, and every row gets its job, however late it commits.",
    mechanism="A guarded UPDATE of the next turn; two scans behind the mark, whose ranges meet.",
    code=("inbox.engine.sweep:take_turn", "inbox.engine.sweep:SELECT_STEP"),
    objects=("index integration_send_order",),
    proofs=[
        Proof(eight_ask_for_the_turn, without=[TURN_IS_GUARDED]),
        Proof(rows_that_commit_late, without=[LOOKBACK_OFF, RECONCILE_OFF]),
    ],
)
