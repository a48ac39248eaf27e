"""A gone process is noticed at once and its jobs are reclaimed; a living one keeps its jobs."""

import re
from contextlib import contextmanager
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection, transaction

from inbox.engine.work import work
from inbox.job_counts import NO_JOBS, JobCounts
from inbox.models import InboxJob, InboxWorker
from inbox.worker import liveness
from inbox.worker.liveness import find_gone, reclaim_from_gone, sign_off
from inbox.worker.presence import LOCK_CLASS, Presence
from tests.support.probe import (
    claim_all,
    in_threads,
    make_witness_table,
    many_jobs,
    probe_source,
    wait_until,
    witnesses,
)
from tests.support.rows import job, seconds_ago
from tests.support.workers import server_start, wait_for_the_end_of_grace

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def server_of_some_age(transactional_db):
    wait_for_the_end_of_grace()


@pytest.fixture
def living():
    presence = Presence("worker A", "test")
    yield presence
    presence.close()


def worker(**fields) -> int:
    """A registered process that is gone: nobody holds its lock."""
    defaults = {"instance_id": uuid4(), "worker_id": "gone", "command": "test", "host": "here", "pid": 1}
    return InboxWorker.objects.create(**defaults | {"has_presence": True} | fields).pk


def found_gone(me=None, **counts):
    return find_gone(me, JobCounts(**counts))


def reclaim_gone(gone, batch_size=200):
    return reclaim_from_gone(gone, max_attempts=5, batch_size=batch_size)


def held_by(presence_id, **fields):
    return job(status="PROCESSING", presence_id=presence_id, **fields)


def state_of(worker_id):
    return InboxWorker.objects.get(pk=worker_id).state


def test_jobs_of_a_gone_process_are_reclaimed_at_once_and_run_alone():
    gone = worker()
    held = held_by(gone, attempt_count=2)
    assert found_gone() == [gone]
    assert reclaim_gone([gone]) == JobCounts(given_back=1)
    held.refresh_from_db()
    assert (held.status, held.attempt_count, held.runs_alone, held.errors) == ("NEW", 1, True, [])
    assert (held.locked_by, held.locked_at) == (None, None)
    assert state_of(gone) == "GONE"
    assert found_gone() == []


def test_a_job_that_was_alone_is_to_blame_and_dead_after_the_last_attempt():
    gone = worker()
    alone = held_by(gone, runs_alone=True, attempt_count=4)
    last = held_by(gone, runs_alone=True, attempt_count=5)
    assert reclaim_gone(found_gone()) == JobCounts(failed=1, dead=1)
    for blamed, status in ((alone, "FAILED"), (last, "DEAD")):
        before = blamed.attempt_count
        blamed.refresh_from_db()
        assert (blamed.status, blamed.attempt_count, blamed.error_kind) == (status, before, "WorkerLost")
        [entry] = blamed.errors
        assert (entry["attempt"], entry["worker"], entry["kind"]) == (before, "somebody", "WorkerLost")
    assert alone.next_attempt_at > alone.updated_at
    assert (alone.finished_at, last.finished_at) == (None, last.updated_at)


def test_nobody_is_blamed_when_the_server_has_started_since_the_claim():
    gone = worker()
    alone = held_by(gone, runs_alone=True, attempt_count=5, locked_at=server_start() - timedelta(seconds=1))
    assert reclaim_gone(found_gone()) == JobCounts(given_back=1)
    alone.refresh_from_db()
    assert (alone.status, alone.attempt_count, alone.errors) == ("NEW", 4, [])


def test_a_living_process_keeps_its_jobs(living):
    held = held_by(living.id)
    gone = worker()
    also_held = held_by(gone)
    assert found_gone() == [gone]
    reclaim_gone(found_gone())
    held.refresh_from_db()
    also_held.refresh_from_db()
    assert (held.status, also_held.status) == ("PROCESSING", "NEW")
    assert state_of(living.id) == "RUNNING"


def test_a_process_is_gone_as_soon_as_its_connection_is(living):
    held_by(living.id)
    assert found_gone() == []
    living.close()
    wait_until(lambda: found_gone() == [living.id])
    assert reclaim_gone([living.id]) == JobCounts(given_back=1)


def test_a_process_never_finds_itself_gone(living):
    living.close()
    wait_until(lambda: found_gone() == [living.id])
    assert found_gone(living.id) == []


def test_the_lock_of_another_program_or_database_is_no_presence():
    """The same numbers as a key of another class, as a single number of 64 bits, and in the database `postgres`."""
    gone = worker()
    with connection.cursor() as here, connection._nodb_cursor() as elsewhere:
        here.execute("SELECT pg_advisory_lock(%s, %s)", [LOCK_CLASS + 1, gone])
        here.execute("SELECT pg_advisory_lock(%s)", [(LOCK_CLASS << 32) + gone])
        elsewhere.execute("SELECT pg_advisory_lock(%s, %s)", [LOCK_CLASS, gone])
        assert found_gone() == [gone]
        here.execute("SELECT pg_advisory_unlock_all()")
        here.execute("SELECT pg_advisory_lock(%s, %s)", [LOCK_CLASS, gone])
        assert found_gone() == []
        here.execute("SELECT pg_advisory_unlock_all()")


@pytest.fixture
def another_installation(settings):
    """A context in which this process belongs to another ServiceOps, in another schema of the same database."""
    options = dict(connection.settings_dict["OPTIONS"])
    options["options"] += " -c search_path=elsewhere"

    @contextmanager
    def elsewhere():
        settings.DATABASE_DIRECT = {"OPTIONS": options}
        execute("SET search_path = elsewhere")
        yield
        execute("RESET search_path")
        settings.DATABASE_DIRECT = None

    execute("CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.inbox_worker (LIKE public.inbox_worker INCLUDING ALL)")
    yield elsewhere
    execute("RESET search_path; DROP SCHEMA elsewhere CASCADE")


def execute(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)


def test_a_worker_of_another_installation_with_the_same_number_is_none_of_ours(another_installation):
    for schema in ("public", "elsewhere"):
        execute(f"ALTER TABLE {schema}.inbox_worker ALTER COLUMN id RESTART WITH 1000000")
    ours = Presence("ours", "test")
    with another_installation():
        theirs = Presence("theirs", "test")
        assert found_gone() == []
    assert (ours.id, theirs.id) == (1000000, 1000000)
    assert found_gone() == []
    ours.close()
    wait_until(lambda: found_gone() == [ours.id])
    with another_installation():
        assert found_gone() == []
        theirs.close()
        wait_until(lambda: found_gone() == [theirs.id])


def test_workers_of_the_last_version_and_of_this_one_take_each_other_for_alive(living):
    """Those hold one lock, not shared, and look for that alone."""
    theirs = worker()
    look = "SELECT objid::bigint FROM pg_locks WHERE classid = %s AND objsubid = 2 AND granted ORDER BY 1"
    with connection.cursor() as last_version:
        last_version.execute("SELECT pg_advisory_lock(%s, %s)", [LOCK_CLASS, theirs])
        assert found_gone() == []
        last_version.execute(look, [LOCK_CLASS])
        assert last_version.fetchall() == [(living.id,), (theirs,)]
        last_version.execute("SELECT pg_advisory_unlock_all()")
    assert found_gone() == [theirs]


def test_a_job_with_a_locked_row_is_reclaimed_later_and_its_process_stays_registered():
    gone = worker()
    locked, free = held_by(gone), held_by(gone)
    with transaction.atomic():
        list(InboxJob.objects.select_for_update().filter(pk=locked.pk))
        assert in_threads(lambda: reclaim_gone(found_gone())) == [JobCounts(given_back=1)]
        assert state_of(gone) == "RUNNING"
    free.refresh_from_db()
    assert free.status == "NEW"
    assert reclaim_gone(found_gone()) == JobCounts(given_back=1)
    assert state_of(gone) == "GONE"


def test_many_processes_at_once_reclaim_each_job_once_and_never_deadlock():
    """The jobs of the gone lie mixed, and each caller names the gone in another order."""
    gone = [worker() for _ in range(8)]
    many_jobs(320)
    claim_all(probe_source(), limit=320)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE integration_inbox SET presence_id = (%s::bigint[])[1 + inbox_id %% 8]", [gone])
    orders = [gone, gone[::-1], gone[4:] + gone[:4], gone[::2] + gone[1::2]]
    results = in_threads(*[lambda order=order: reclaim_gone(order, batch_size=10) for order in orders])
    assert sum(results, NO_JOBS) == JobCounts(given_back=320)
    assert set(InboxJob.objects.values_list("status", "attempt_count", "runs_alone")) == {("NEW", 0, True)}
    assert set(InboxWorker.objects.values_list("state", flat=True)) == {"GONE"}


def test_right_after_a_start_of_the_server_nobody_is_gone(monkeypatch):
    """Its start is long ago; a longer grace makes it recent."""
    gone, silent = worker(), worker(has_presence=False, last_seen_at=seconds_ago(61))
    began_long_ago = r"(pg_postmaster_start_time\(\)\s+NOT BETWEEN now\(\) - interval) '\d+ seconds'"
    longer, changed = re.subn(began_long_ago, r"\1 '9 years'", liveness.NOTE_SEEN_AND_SELECT_GONE)
    assert changed == 1
    with monkeypatch.context() as patch:
        patch.setattr(liveness, "NOTE_SEEN_AND_SELECT_GONE", longer)
        assert found_gone() == [silent]
    assert sorted(found_gone()) == [gone, silent]


def test_a_process_without_presence_is_gone_after_a_minute_of_silence():
    worker(has_presence=False, last_seen_at=seconds_ago(50))
    silent = worker(has_presence=False, last_seen_at=seconds_ago(61))
    assert found_gone() == [silent]
    assert reclaim_gone([silent]) == NO_JOBS
    assert state_of(silent) == "GONE"


def test_a_process_that_checks_the_others_writes_its_own_heartbeat_and_counts(living):
    seen = InboxWorker.objects.filter(pk=living.id)
    found_gone(living.id, done=7)
    assert seen.get().done_count == 0
    seen.update(last_seen_at=seconds_ago(11))
    found_gone(living.id, done=7, failed=2, dead=1, lost=9)
    row = seen.get()
    assert (row.done_count, row.failed_count, row.dead_count) == (7, 2, 1)
    assert row.last_seen_at > seconds_ago(10)


def test_a_living_process_that_was_found_gone_is_registered_again(living):
    seen = InboxWorker.objects.filter(pk=living.id)
    seen.update(state="GONE", last_seen_at=seconds_ago(11))
    found_gone(living.id)
    assert seen.get().state == "RUNNING"


def test_a_process_that_ends_signs_off_and_is_checked_no_more(living):
    InboxWorker.objects.filter(pk=living.id).update(last_seen_at=seconds_ago(11))
    sign_off(living.id, JobCounts(done=3, failed=2, dead=1))
    living.close()
    row = InboxWorker.objects.get()
    assert (row.state, row.done_count, row.failed_count, row.dead_count) == ("STOPPED", 3, 2, 1)
    assert row.last_seen_at > seconds_ago(10)
    assert found_gone() == []


def test_a_process_wrongly_found_gone_writes_nothing(living):
    """Presence decides only when; the lease decides what is true."""
    make_witness_table()
    [key] = many_jobs(1)
    lost = claim_all(probe_source(), "worker A")
    InboxJob.objects.update(presence_id=living.id)
    assert reclaim_gone([living.id]) == JobCounts(given_back=1)
    assert work(claim_all(probe_source(), "worker B")).done == 1
    assert work(lost).lost == 1
    assert witnesses() == [key]
    assert InboxJob.objects.get().finished_by == "worker B"
