"""Protections of a claimed job: the lease that guards every write of a worker, and the lock on what it holds."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from typing import Any
from uuid import UUID

from django.db import connection

from inbox.engine.claim import Claim
from inbox.models.job import HELD_BY_LEASE, JobQuerySet
from verification.patches import patched, without_text
from verification.protections.schema import without_trigger
from verification.row import Protection

# The claims that a worker remembers when its name and the attempt are its fence.
MEMORY = "verify_claim"
# Where several processes do this at once, one of them makes the table.
LOCK_MAKING = f"SELECT CASE WHEN to_regclass('{MEMORY}') IS NULL THEN pg_advisory_xact_lock({0x76726679}, 0) END"
CREATE_MEMORY = f"""
CREATE TABLE IF NOT EXISTS {MEMORY} (
    lease_id uuid, inbox_id bigint, owner text, attempt int, PRIMARY KEY (lease_id, inbox_id))
"""
REMEMBER = f"""
INSERT INTO {MEMORY} SELECT lease_id, inbox_id, locked_by, attempt_count
  FROM integration_inbox WHERE inbox_id = ANY(%s)
"""
OWNER_AND_ATTEMPT_GUARD = f"""job.status = 'PROCESSING' AND (job.locked_by, job.attempt_count) =
    (SELECT owner, attempt FROM {MEMORY} WHERE lease_id = %(lease_id)s AND inbox_id = job.inbox_id)"""


def _with_guard(guard: str) -> ExitStack:
    """Every write of a worker is guarded by this instead. Entered already."""
    with ExitStack() as stack:
        for target in ("work:LOCK_LEASED_JOBS", "finish:FINISH_DONE", "finish:FINISH_WITH_OUTCOME"):
            stack.enter_context(without_text(f"inbox.engine.{target}", HELD_BY_LEASE, guard))
        stack.enter_context(patched("inbox.models.job:JobQuerySet.held", lambda plain: _held_by(guard)))
        return stack.pop_all()


def _held_by(guard: str) -> Callable[..., JobQuerySet]:
    def held(jobs: JobQuerySet, lease_id: UUID, inbox_ids: Iterable[int]) -> JobQuerySet:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT inbox_id FROM integration_inbox AS job WHERE inbox_id = ANY(%(inbox_ids)s) AND {guard}",
                {"inbox_ids": list(inbox_ids), "lease_id": lease_id},
            )
            return jobs.filter(inbox_id__in=[inbox_id for (inbox_id,) in cursor.fetchall()])

    return held


def _remembering(mark: Callable[..., None]) -> Callable[..., None]:
    def marked(claim: Claim, presence_id: int | None) -> None:
        mark(claim, presence_id)
        with connection.cursor() as cursor:
            cursor.execute(LOCK_MAKING)
            cursor.execute(CREATE_MEMORY)
            cursor.execute(REMEMBER, [claim.all_inbox_ids])

    return marked


def _forget() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {MEMORY}")


def _owner_and_attempt() -> ExitStack:
    # No generator: a process that ends in the middle must not drop the table under the others.
    with ExitStack() as stack:
        stack.callback(_forget)
        stack.enter_context(patched("inbox.engine.claim:_mark", _remembering))
        stack.enter_context(_with_guard(OWNER_AND_ATTEMPT_GUARD))
        return stack.pop_all()


def _without_guard_and_trigger() -> ExitStack:
    with ExitStack() as stack:
        stack.enter_context(without_trigger("integration_inbox", "inbox_guard_moves"))
        stack.enter_context(_with_guard("true"))
        return stack.pop_all()


def _without_guard_in_finish() -> AbstractContextManager[Any]:
    with ExitStack() as stack:
        for name in ("FINISH_DONE", "FINISH_WITH_OUTCOME"):
            stack.enter_context(without_text(f"inbox.engine.finish:{name}", f"AND {HELD_BY_LEASE}"))
        return stack.pop_all()


NO_LEASE_CHECK = Protection(
    "no-lease-check",
    "a worker writes only under the lease of its own claim",
    lambda: _with_guard("job.status = 'PROCESSING'"),
)
OWNER_AND_ATTEMPT = Protection(
    "owner-and-attempt",
    "each claim has a lease id of its own; owner and attempt number occur twice",
    _owner_and_attempt,
)
HOLDS_WHAT_IS_PROCESSING = Protection(
    "holds-what-is-processing",
    "a lease holds a job only while it is PROCESSING",
    lambda: patched("inbox.models.job:JobQuerySet.held", lambda plain: _held_by("job.lease_id = %(lease_id)s")),
)
NO_GUARD = Protection(
    "no-guard",
    "every write of a worker is guarded by its lease and by PROCESSING",
    lambda: _with_guard("true"),
)
NO_GUARD_NO_TRIGGER = Protection(
    "no-guard-no-trigger",
    "the same guard, and behind it the trigger inbox_guard_moves",
    _without_guard_and_trigger,
)
GUARD_IN_FINISH = Protection(
    "guard-in-finish",
    "finish has the guard in its own WHERE, and trusts no caller",
    _without_guard_in_finish,
)
LOCKS_ITS_JOBS = Protection(
    "locks-its-jobs",
    "the transaction that works locks its jobs first",
    lambda: without_text("inbox.engine.work:LOCK_LEASED_JOBS", "FOR UPDATE"),
)
GUARD_MOVES = Protection(
    "guard-moves",
    "the trigger inbox_guard_moves refuses any other move",
    lambda: without_trigger("integration_inbox", "inbox_guard_moves"),
)
