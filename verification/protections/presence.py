"""Protections of presence."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from inbox.worker.liveness import GRACE_S
from verification.patches import patched, without_text
from verification.row import Protection

# Worker processes are others than the one that proves, so they are told by name what to take out of theirs.
out_in_processes: set[str] = set()


@contextmanager
def _out_in_processes(name: str) -> Iterator[None]:
    out_in_processes.add(name)
    try:
        yield
    finally:
        out_in_processes.remove(name)


def _unlock_after(register: Callable[..., int]) -> Callable[..., int]:
    def register_without_lock(presence: Any, worker_id: str, command: str) -> int:
        worker = register(presence, worker_id, command)
        presence._connection.execute("SELECT pg_advisory_unlock_all()")
        return worker

    return register_without_lock


WITHOUT_IN_PROCESSES: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "presence-lock": lambda: patched("inbox.worker.presence:Presence._register", _unlock_after),
}
HOLDS_A_LOCK = Protection(
    "presence-lock",
    "a worker process holds a session lock on its registration for as long as it lives",
    lambda: _out_in_processes("presence-lock"),
)
FINDS_THE_GONE = Protection(
    "presence",
    "workers look which registrations have no lock any more",
    lambda: without_text("inbox.worker.liveness:NOTE_SEEN_AND_SELECT_GONE", "NOT IN (SELECT id FROM held)", "< 0"),
)
KNOWS_ITS_OWN = Protection(
    "presence-installation",
    "a lock of a session that belongs to another installation says nothing about the workers of this one",
    lambda: without_text(
        "inbox.worker.liveness:NOTE_SEEN_AND_SELECT_GONE", "other.objid <> 'inbox_worker'::regclass", "false"
    ),
)
LOCKS_AS_IT_REGISTERS = Protection(
    "presence-transaction",
    "a worker takes its lock in the transaction that registers it",
    lambda: patched("psycopg:Connection.transaction", lambda plain: lambda raw: nullcontext()),
)
GRACE = Protection(
    "presence-grace",
    f"for {GRACE_S} s after a start of the server nobody counts as gone",
    lambda: without_text(
        "inbox.worker.liveness:NOTE_SEEN_AND_SELECT_GONE",
        f"""AND pg_postmaster_start_time()
                                   NOT BETWEEN now() - interval '{GRACE_S} seconds' AND now()""",
    ),
)
