"""Row P3, sweep: who does it, what it finds, and what polls leave to it.

Turn     H        locks the watermark
         A … H    ask whose turn it is            | each waits for the row
         H        commits                         | one of them has the turn

Finds    A        begins, and sends two rows      | 10 seconds and a day old
         B        sends a row of now, W ingests   | the mark has passed both of A's
         A        commits
         W        ingests, and does its sweeps

Leave    A        sends three rows                | W ingests one at a time, the oldest first
         A        sends a row of in 30 seconds    | W ingests it, and the mark stays where it was
"""

from functools import partial

from inbox.engine.ingest import lock_watermark
from inbox.engine.sweeps.turn import SweepKind, take_turn
from inbox.models import PollWatermark
from inbox.worker.ingester import Ingester
from verification.proof.stage import Stage
from verification.protections.ingest import LOOKBACK_OFF, OLDEST_FIRST, RECONCILE_OFF, STAYS_BEHIND_NOW, TURN_IS_GUARDED
from verification.row import Proof, Row
from verification.scenes import SOURCE
from verification.source_rows import ago, lost, new_message_ids, on_empty_tables, poll, poll_ahead, send, watermark
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
    mark = PollWatermark.objects.get(source=SOURCE.name)
    if not (broken := lost(late, very_late)) and (mark.lookback_finds, mark.reconcile_finds) != (1, 1):
        broken.append(f"the lookback counts {mark.lookback_finds} finds, the reconcile {mark.reconcile_finds}")
    return broken


@on_empty_tables
def more_rows_than_a_poll_takes(stage: Stage) -> list[str]:
    """The oldest come first, as the mark passes what a poll has taken."""
    rows = new_message_ids(3)
    for minutes, row in enumerate(reversed(rows), start=5):
        send(row, at=ago(minutes=minutes))
    for _ in rows:
        stage.do("W", partial(poll, limit=1))
    return lost(*rows)


@on_empty_tables
def a_row_from_the_future(stage: Stage) -> list[str]:
    """A clock of another program is ahead: the mark does not follow it, and a row of now is read by the next poll."""
    early, now = new_message_ids(2)
    send(early, at=ago(seconds=-30))
    stage.do("W", poll_ahead)
    is_ahead = (watermark()[0] or ago()) > ago()
    send(now)
    stage.do("W", poll)
    return lost(early, now) + (["the mark is ahead of the clock"] if is_ahead else [])


SWEEPS = "inbox.engine.sweeps"
ROW = Row(
    key="sweep",
    number="P3",
    title="Sweep",
    promise="One process at a time sweeps, and every row gets its job, however late or early its time is.",
    mechanism="A guarded UPDATE of the next turn; two scans behind a mark that stays behind now; their ranges meet.",
    code=(f"{SWEEPS}.turn:take_turn", f"{SWEEPS}.sweep:SELECT_STEP", "inbox.engine.ingest:INSERT_JOBS"),
    objects=("index integration_send_order",),
    proofs=[
        Proof(eight_ask_for_the_turn, without=[TURN_IS_GUARDED]),
        Proof(rows_that_commit_late, without=[LOOKBACK_OFF, RECONCILE_OFF]),
        Proof(more_rows_than_a_poll_takes, without=[OLDEST_FIRST]),
        Proof(a_row_from_the_future, without=[STAYS_BEHIND_NOW]),
    ],
)
