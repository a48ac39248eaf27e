"""Row R3, deadlocks, stuck jobs and connections are watched: each is brought about, and must be told.

Deadlock             A, B  begin, and lock a job each
                     A     wants B's job               | waits
                     B     wants A's job               | the server ends one of the two
Stuck job            W     has claimed a job, long ago
                     H     begins, and locks the job   | a handler that hangs
                     R     reclaims what is stale      | leaves the job alone
Old transaction      A     begins, writes, and stays so for longer than is good
Scarce connections   A     connects                    | three quarters of the share are in use
"""

from datetime import timedelta
from functools import partial

from django.db.models.functions import Now
from django.test import override_settings

from inbox.db.connection_budget import count_connections
from inbox.engine.claim import claim
from inbox.engine.reclaim import reclaim_stale
from inbox.models import InboxJob
from inbox.monitoring.diagnosis import find_stalls
from inbox.monitoring.history import take_history
from inbox.monitoring.snapshot import take_snapshot
from inbox.monitoring.transactions import warnings
from verification.patches import patched
from verification.proof.stage import Stage
from verification.protections import monitoring as protect
from verification.row import Proof, Row
from verification.scenes import SOURCE, end_jobs
from verification.steps import begin, begin_impatient, commit, connect, flush_statistics, lock_job, new_jobs


def a_deadlock(stage: Stage) -> list[str]:
    """It is in what inbox.monitoring counts, and so in /metrics."""
    before = take_history().deadlocks
    first, second = new_jobs(2)
    for session, job in (("A", first), ("B", second)):
        stage.do(session, begin_impatient)
        stage.do(session, partial(lock_job, job))
    stage.start("A", partial(lock_job, second))
    stage.start("B", partial(lock_job, first))
    for session in "AB":
        stage.end(session)
        stage.do(session, commit)
        stage.do(session, flush_statistics)
    end_jobs()
    return [] if take_history().deadlocks > before else ["the server broke a deadlock, and nothing counts it"]


def a_stuck_job(stage: Stage) -> list[str]:
    """It is a stall: `inbox_status --check` exits with 1, and /metrics counts it."""
    [job] = new_jobs(1)
    claim(SOURCE, worker_id="W", limit=1)
    InboxJob.objects.filter(pk=job).update(locked_at=Now() - timedelta(days=30))
    stage.do("H", begin)
    stage.do("H", partial(lock_job, job))
    stage.do("R", partial(reclaim_stale, stale_after_s=60, max_attempts=5, limit=1))
    is_told = any("without being reclaimed" in stall.why for stall in find_stalls(take_snapshot()))
    stage.do("H", commit)
    end_jobs()
    return [] if is_told else ["a job is stuck, and nothing tells"]


def an_old_transaction(stage: Stage) -> list[str]:
    """`inbox_status` warns of it, and /metrics has its age."""
    [job] = new_jobs(1)
    stage.do("A", begin)
    stage.do("A", partial(lock_job, job))
    with patched("inbox.monitoring.transactions:WARN_AFTER_S", lambda plain: 0.0):
        found = take_snapshot().transactions
        is_told = warnings(found) and any(one.pid and one.holds_back_cleanup for one in found.oldest)
    stage.do("A", commit)
    end_jobs()
    return [] if is_told else ["a transaction holds back the cleanup, and nothing tells"]


def scarce_connections(stage: Stage) -> list[str]:
    """`inbox_status` warns of them, and /metrics has how much of the share is in use."""
    stage.do("A", connect)
    in_use = count_connections().background
    with override_settings(DB_CONNECTION_BUDGET=in_use + max(1, in_use // 4), DB_CONNECTIONS_RESERVED=0):
        return [] if take_snapshot().connections.warning else ["connections are scarce, and nothing tells"]


ROW = Row(
    key="watched",
    number="R3",
    title="Deadlocks, stuck jobs and connections are watched",
    promise="A deadlock, a stuck job, an old transaction and scarce connections are told.",
    mechanism="A snapshot of the inbox, its diagnosis, and the server's own statistics.",
    code=("inbox.monitoring.diagnosis:find_stalls", "inbox.monitoring.history:SELECT_SERVER"),
    proofs=[
        Proof(a_deadlock, without=[protect.COUNTS_DEADLOCKS], rounds=5, is_direct=True),  # for many roles a second each
        Proof(a_stuck_job, without=[protect.TELLS_OLD_CLAIMS]),
        Proof(an_old_transaction, without=[protect.TELLS_OLD_TRANSACTIONS]),
        Proof(scarce_connections, without=[protect.TELLS_SCARCE_CONNECTIONS], is_direct=True),
    ],
)
