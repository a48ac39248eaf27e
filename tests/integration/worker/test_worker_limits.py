"""The bounds of a worker: a refused ingest costs one interval, a drain sweeps once, `max_jobs` holds, and what a
progress display or a log line raises leaves no job behind."""

import psycopg
import pytest
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from inbox import events
from inbox.engine.sweeps.turn import SweepKind
from inbox.models import InboxJob, InboxWorker
from inbox.worker import ingester, sweeping
from inbox.worker.loop import Worker
from inbox.worker.presence import Presence
from inbox.worker.signals import StopNow
from tests.support.probe import leave_witnesses, make_witness_table, many_jobs, probe_source, witnesses
from tests.support.rows import send

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def witness_table(transactional_db):
    make_witness_table()


def worker(handler=None, **options):
    defaults = {"batch_size": 10, "poll_interval_s": 0.01, "worker_id": "worker A"}
    return Worker(sources=[probe_source(handler)], **defaults | options)


def test_a_refused_ingest_is_not_tried_again_before_the_interval_is_over(monkeypatch):
    """With a backlog, work goes on meanwhile; a refusal that comes after seconds is no reason to ask at once."""
    many_jobs(100)
    clock = [0.0]
    busy = worker(poll_interval_s=1.0)
    asked_at = []

    def refuse_after_five_seconds(*arguments, **options):
        asked_at.append(InboxJob.objects.filter(status="DONE").count())
        clock[0] += 5
        raise OperationalError("canceling statement due to lock timeout")

    monkeypatch.setattr("inbox.worker.timer.time.monotonic", lambda: clock[0])
    monkeypatch.setattr(ingester, "ingest", refuse_after_five_seconds)
    for _ in range(6):
        busy.tick()
    assert len(asked_at) == 1, asked_at
    assert len(witnesses()) == 60


def test_a_drain_does_each_sweep_once_whether_it_is_due_or_not(monkeypatch):
    swept = []
    plain_sweep = sweeping.sweep
    monkeypatch.setattr(
        sweeping, "sweep", lambda source, kind, **options: swept.append(kind) or plain_sweep(source, kind, **options)
    )
    send({})
    worker().drain()
    assert swept == [SweepKind.LOOKBACK, SweepKind.RECONCILE]
    for due_in in ("-1 hour", "1 hour"):
        swept.clear()
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE poll_watermark"
                " SET next_lookback_at = now() + %(in)s::interval, next_reconcile_at = now() + %(in)s::interval",
                {"in": due_in},
            )
        worker().drain()
        assert sorted(swept, key=str) == sorted(SweepKind, key=str)


def test_a_sweep_that_the_database_breaks_off_is_done_again_by_the_drain(monkeypatch):
    send({})
    worker().drain()
    late = send({}, created_at="2021-01-01")
    plain_sweep, broken = sweeping.sweep, []

    def break_the_first(source, kind, **options):
        if kind is SweepKind.RECONCILE and not broken:
            broken.append(kind)
            raise OperationalError("canceling statement due to statement timeout")
        yield from plain_sweep(source, kind, **options)

    monkeypatch.setattr(sweeping, "sweep", break_the_first)
    worker().drain()
    assert broken
    assert InboxJob.objects.filter(message_id=late, status="DONE").exists()


def test_max_jobs_holds_when_a_commit_is_not_answered(monkeypatch):
    many_jobs(50)
    plain_commit = BaseDatabaseWrapper._commit
    state = []

    def handler(jobs):
        state.append("armed")
        return leave_witnesses(jobs)

    def commit_and_break(self):
        plain_commit(self)
        if state == ["armed"]:
            state.append("broken")
            with psycopg.connect(self.connection.info.dsn, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s, 20000)", [self.connection.info.backend_pid])
            with self.wrap_database_errors:
                self.connection.execute("SELECT 1")

    monkeypatch.setattr(BaseDatabaseWrapper, "_commit", commit_and_break)
    worker(handler, max_jobs=10).run()
    assert state[1] == "broken"
    assert len(witnesses()) == 10


def test_a_progress_display_that_fails_leaves_nothing_behind():
    many_jobs(3)

    def fail(counts):
        raise BrokenPipeError

    def interrupt(jobs):
        raise StopNow

    with pytest.raises(StopNow):
        worker(interrupt, on_progress=fail, register=lambda: Presence("worker A", "test")).run()
    assert set(InboxJob.objects.values_list("status", flat=True)) == {"NEW"}
    assert InboxWorker.objects.get().state == "STOPPED"


def test_an_interruption_between_claim_and_work_gives_the_jobs_back(monkeypatch):
    many_jobs(3)
    plain_emit = events.emit

    def interrupted(event, *arguments, **facts):
        if event is events.Event.CLAIMED:
            raise StopNow
        plain_emit(event, *arguments, **facts)

    monkeypatch.setattr("inbox.worker.held_claim.emit", interrupted)
    with pytest.raises(StopNow):
        worker().run()
    assert set(InboxJob.objects.values_list("status", "attempt_count")) == {("NEW", 0)}
