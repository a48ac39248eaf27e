"""Protections of ingest and sweep: where a scan begins, how the watermark moves, whose turn a sweep is."""

from collections.abc import Callable

from inbox.engine.sweeps.turn import SweepKind, Turn
from verification.patches import patched, without_text
from verification.row import Protection

TakeTurn = Callable[..., Turn | None]


def _only(kind: SweepKind) -> Callable[[TakeTurn], TakeTurn]:
    def make(take_turn: TakeTurn) -> TakeTurn:
        return lambda source, asked, **options: take_turn(source, asked, **options) if asked is kind else None

    return make


WAITS = Protection(
    "waits-for-the-watermark",
    "an ingest locks the watermark before it reads, and waits for it",
    lambda: without_text("inbox.engine.ingest:LOCK_WATERMARK", " FOR UPDATE"),
)
MOVES_FORWARD = Protection(
    "moves-forward",
    "the watermark moves only if what was read lies ahead of it",
    lambda: without_text(
        "inbox.engine.ingest:INSERT_JOBS",
        "OR (mark.last_created_at, mark.last_message_id) < (passed.created_at, passed.message_id)",
        "OR true",
    ),
)
WATERMARK_PER_COLUMN = Protection(
    "watermark-per-column",
    "time and id of the watermark move as a pair, and not each to its own maximum",
    lambda: without_text(
        "inbox.engine.ingest:INSERT_JOBS",
        "last_created_at = passed.created_at, last_message_id = passed.message_id",
        """last_created_at = greatest(mark.last_created_at, passed.created_at),
                 last_message_id = greatest(mark.last_message_id, (SELECT max(message_id) FROM fresh))""",
    ),
)
READS_EQUAL_TIMES = Protection(
    "reads-equal-times",
    "a poll reads on from the pair of time and id, so rows of the same time are not passed",
    lambda: without_text(
        "inbox.engine.ingest:SELECT_ROWS_ABOVE_WATERMARK", "THEN last_message_id", "THEN 9223372036854775807"
    ),
)
OLDEST_FIRST = Protection(
    "oldest-rows-first",
    "a poll takes the oldest rows first",
    lambda: without_text(
        "inbox.engine.ingest:SELECT_ROWS_ABOVE_WATERMARK",
        "ORDER BY s.created_at, s.message_id",
        "ORDER BY s.created_at DESC, s.message_id DESC",
    ),
)
STAYS_BEHIND_NOW = Protection(
    "stays-behind-now",
    "the watermark moves to no row from the future",
    lambda: without_text("inbox.engine.ingest:PASSED_BY_POLL", "BETWEEN 'epoch' AND now()\n", "> 'epoch'\n"),
)
OVERLAP = Protection(
    "overlap",
    "a poll reads the last half second again",
    lambda: without_text("inbox.engine.ingest:SELECT_ROWS_ABOVE_WATERMARK", "'0.5 seconds'", "'0 seconds'"),
)
LOOKBACK_OFF = Protection(
    "lookback-off",
    "a lookback reads the rows behind the watermark again",
    lambda: patched("inbox.worker.ingester:take_turn", _only(SweepKind.RECONCILE)),
)
RECONCILE_OFF = Protection(
    "reconcile-off",
    "a reconcile reads the rows that are older than the lookback goes",
    lambda: patched("inbox.worker.ingester:take_turn", _only(SweepKind.LOOKBACK)),
)
TURN_IS_GUARDED = Protection(
    "turn-is-guarded",
    "a process takes a turn only if it still finds it due under the row's lock",
    lambda: without_text("inbox.engine.sweeps.turn:TAKE_TURN", "{turn} <= now() -", "now() >= now() -"),
)
