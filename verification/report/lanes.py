"""The graph of what one round saw: a lane per session, time downwards, one line per moment.

A lane shows what its session was doing: it runs, is held, or waits for a lock. Lines are evenly spaced and not by time,
as an interleaving is about what came after what.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from verification.proof.stage import Moment

# A round of more moments than this is told without the rest: nobody reads on.
MOST_MOMENTS = 120

NOTHING, RUNS, HELD, WAITS = "nothing", "runs", "held", "waits"
WAITS_FOR_A_LOCK = "waits for a lock"
ERROR = re.compile(r"[A-Z]\w*: ?")

# By how a moment's text begins: its kind, and what the session does after it.
KINDS = (
    ("held ", "held", HELD),
    ("goes on", "goes", RUNS),
    (WAITS_FOR_A_LOCK, "waits", WAITS),
    ("ended", "ended", NOTHING),
    ("is killed", "killed", NOTHING),
)
# The mark of each kind, which tells it apart without its colour.
MARKS = {"starts": "●", "held": "◆", "goes": "►", "waits": "◷", "ended": "■", "killed": "✕", "error": "!"}


@dataclass(frozen=True, slots=True)
class Cell:
    """One lane at one moment: what its session did before and after, and the mark of the moment if it is its own."""

    before: str
    after: str
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One moment."""

    at_ms: float
    session: str
    kind: str
    what: str
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Graph:
    """The moments of one round, as a graph. `left_out` moments are not in it."""

    sessions: list[str]
    lines: list[Line]
    left_out: int


def graph_of(moments: Sequence[Moment]) -> Graph:
    """The graph of these moments, sessions in the order in which they came."""
    moments = list(_news(moments))
    shown = moments[:MOST_MOMENTS]
    sessions = list(dict.fromkeys(moment.session for moment in shown))
    doing = dict.fromkeys(sessions, NOTHING)
    was_killed: set[str] = set()
    lines = []
    for moment in shown:
        before = dict(doing)
        is_idle = doing[moment.session] == NOTHING and moment.session not in was_killed
        kind, doing[moment.session] = _kind(moment.what, is_idle=is_idle)
        was_killed = was_killed | {moment.session} if kind == "killed" else was_killed - {moment.session}
        cells = [
            Cell(before[session], doing[session], MARKS[kind] if session == moment.session else "")
            for session in sessions
        ]
        lines.append(Line(moment.at_ms, moment.session, kind, moment.what, cells))
    return Graph(sessions, lines, len(moments) - len(shown))


def _news(moments: Sequence[Moment]) -> Iterator[Moment]:
    """Without those that tell again that a session waits for the same lock."""
    last: dict[str, str] = {}
    for moment in moments:
        if last.get(moment.session) != moment.what or not moment.what.startswith(WAITS_FOR_A_LOCK):
            yield moment
        last[moment.session] = moment.what


def _kind(what: str, *, is_idle: bool) -> tuple[str, str]:
    """The kind of a moment, and what its session does afterwards."""
    for start, kind, after in KINDS:
        if what.startswith(start):
            return kind, after
    # A session that does nothing starts; one that is in its step, or was killed there, has ended with an error.
    return ("starts", RUNS) if is_idle or not ERROR.match(what) else ("error", NOTHING)
