"""Looks each second for workers that are gone, and reclaims their jobs; on a server that started when the race says."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from inbox.job_counts import NO_JOBS
from inbox.models import InboxJob, InboxWorker
from inbox.worker.liveness import find_gone, reclaim_from_gone
from inbox.worker.presence import INSERT_WORKER, INSTALLATION_CLASS, LOCK_CLASS, Presence
from verification.patches import patched
from verification.scenes import end_jobs
from verification.steps import new_jobs
from verification.worker_processes import WorkerProcess, worker_process

JOBS = 3

# Stands before PostgreSQL's own function of that name on the search_path, so that no server need be restarted.
CREATE_CLOCK = """
CREATE SCHEMA verify_clock;
CREATE FUNCTION verify_clock.pg_postmaster_start_time() RETURNS timestamptz LANGUAGE sql STABLE
       AS $$ SELECT now() - current_setting('verify.server_age_s')::int * interval '1 second' $$
"""
SET_CLOCK = """
SELECT set_config('search_path', 'verify_clock, pg_catalog, ' || current_setting('search_path'), true),
       set_config('verify.server_age_s', %s, true)
"""
END_PRESENCE = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_locks
 WHERE locktype = 'advisory' AND classid = %s AND objid = %s AND granted
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@contextmanager
def working_process() -> Iterator[WorkerProcess]:
    """A worker process that has claimed JOBS jobs; nothing is left of them at the end."""
    forget_workers()
    new_jobs(JOBS)
    with worker_process(JOBS) as worker:
        yield worker
    end_jobs()
    forget_workers()


def register_and_leave() -> None:
    """Register as a worker does when it starts, and end the presence."""
    Presence("verify", "verify_locks").close()


def row_is_made() -> None:
    """A registration has its row, and not yet its lock: a place to hold it, while `rows_are_told` lasts."""


def row_is_seen() -> None:
    """It has committed its row: another such place."""


@contextmanager
def rows_are_told() -> Iterator[None]:
    """Registrations call `row_is_made` and `row_is_seen`."""

    def telling(plain: Callable[..., int]) -> Callable[..., int]:
        def value(raw: Any, sql: str, *parameters: Any) -> int:
            found = plain(raw, sql, *parameters)
            if sql == INSERT_WORKER:
                row_is_made()
            return found

        return value

    def telling_commit(plain: Callable[[Any], AbstractContextManager[Any]]) -> Callable[[Any], Any]:
        @contextmanager
        def transaction(raw: Any) -> Iterator[None]:
            with plain(raw):
                yield
            row_is_seen()

        return transaction

    with patched("inbox.worker.presence:_value", telling), patched("psycopg:Connection.transaction", telling_commit):
        yield


@cache
def _make_clock() -> None:
    with connection.cursor() as cursor:
        cursor.execute(CREATE_CLOCK)


def reclaim_from_the_gone(server_age_s: int) -> list[int]:
    """Look who is gone, reclaim their jobs, and return their ids, on a server that started so many seconds ago."""
    _make_clock()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(SET_CLOCK, [str(server_age_s)])
        gone = find_gone(None, NO_JOBS)
    reclaim_from_gone(gone, max_attempts=settings.INBOX_MAX_ATTEMPTS, batch_size=100)
    return gone


def end_presence(worker: WorkerProcess) -> None:
    """End the session that holds its lock, as a restart of the server does; the process lives on."""
    with connection.cursor() as cursor:
        cursor.execute(END_PRESENCE, [LOCK_CLASS, worker.id])


@contextmanager
def only_elsewhere(worker: WorkerProcess) -> Iterator[None]:
    """Once the server has ended the sessions of a process that was killed, and its lock is free: a worker of the same
    number lives in another installation, whose inbox_worker is another table.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK_CLASS, worker.id])
    raw = connection.copy().get_new_connection(connection.get_connection_params())
    try:
        raw.execute("SELECT pg_advisory_lock_shared(%s, 'pg_class'::regclass::oid::int)", [INSTALLATION_CLASS])
        raw.execute("SELECT pg_advisory_lock_shared(%s, %s)", [LOCK_CLASS, worker.id])
        yield
    finally:
        raw.close()


def still_has(worker: WorkerProcess) -> int:
    """How many of the jobs that it claimed it still has."""
    return InboxJob.objects.filter(pk__in=worker.inbox_ids, presence_id=worker.id, status="PROCESSING").count()


def forget_workers() -> None:
    """Remove all registrations."""
    InboxWorker.objects.all().delete()
