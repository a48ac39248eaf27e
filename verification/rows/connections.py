"""Row 9, connection budget: eight processes at once, where the web has four sessions reserved.

Start       A … H   connect
            A … H   count the sessions of all          | each is held until all have counted
            A … H   start, or leave                    | there is room for three
Register    A … H   connect
            A … H   count, as they want a second one   | each is held until all have counted: there is room for three
            A … H   connect again, and count again     | at most three stay
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from django.test import override_settings

from inbox.db.connection_budget import NoRoom, count_connections, wait_for_room
from inbox.job_counts import NO_JOBS
from inbox.worker.presence import Presence
from inbox.worker.registration import Registration
from verification.proof.stage import Stage
from verification.protections import connections as protections
from verification.row import Proof, Row
from verification.steps import connect, disconnect, execute

NAMES = "ABCDEFGH"
RESERVED = 4
# One that was closed a moment ago is still counted until the server has ended it.
END_SESSIONS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
 WHERE datname = current_database() AND application_name LIKE '%-verify-%'
"""


@contextmanager
def _share_of(more: int, stage: Stage) -> Iterator[int]:
    """Connect all; the share is then `more` than the sessions of others, whose number this gives."""
    execute(END_SESSIONS)
    for name in NAMES:
        stage.do(name, connect)
    found = count_connections()
    others = found.background - len(NAMES)
    if found.room_of_server < RESERVED + len(NAMES):
        raise RuntimeError("the server has too few free connections for this race")
    with override_settings(DB_CONNECTION_BUDGET=others + more + RESERVED, DB_CONNECTIONS_RESERVED=RESERVED):
        yield others
    for name in NAMES:
        stage.do(name, disconnect)


def many_start_at_once(stage: Stage) -> list[str]:
    """As many start as fit, and none takes what is kept for the web."""
    # The last place of the share is for those who only count.
    with _share_of(4, stage), stage.hold("inbox.db.connection_budget:count_connections", after=True):
        results = stage.at_once(dict.fromkeys(NAMES, partial(wait_for_room, 0)))
    refused = [result for result in results.values() if isinstance(result.error, NoRoom)]
    started = [result.get() for result in results.values() if result not in refused]
    if len(started) > 4:
        return [f"{len(started)} processes have started, and {len(started) - 4} use a connection kept for the web"]
    return [f"there is room for 3, and {len(started)} have started"] if len(started) < 3 else []


def many_register_at_once(stage: Stage) -> list[str]:
    """Each wants a second connection and sees room for three; no more than these stay."""
    with _share_of(len(NAMES) + 3, stage), stage.hold("inbox.worker.registration:count_connections", after=True):
        results = stage.at_once({name: partial(_register, name) for name in NAMES})
    seconds = sum(result.get().is_seen for result in results.values())
    for result in results.values():
        result.get().end(NO_JOBS, leaves_jobs=False)
    return [f"{seconds - 3} workers keep a second connection that is kept for the web"] if seconds > 3 else []


def _register(name: str) -> Registration:
    made = Registration(name, partial(Presence, name, "none"))
    made.renew(NO_JOBS)
    return made


ROW = Row(
    key="connections",
    number="9",
    title="Connection budget",
    promise="As many processes start at once as fit; none takes what is kept for the web.",
    mechanism="Each counts the sessions of all by name in pg_stat_activity, and its own rank; the oldest stay.",
    code=("inbox.db.connection_budget:COUNT_SESSIONS", "inbox.db.connection_budget:Connections.may_start"),
    proofs=[
        Proof(
            many_start_at_once,
            without=[protections.STARTS_IN_ITS_SHARE, protections.OLDEST_FIRST, protections.KEEPS_THE_RESERVE],
            is_direct=True,
        ),
        Proof(many_register_at_once, without=[protections.COUNTS_ITS_SECOND], rounds=10, is_direct=True),
    ],
)
