"""The database's clock has gone back: what it left in the future holds up nothing."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from inbox.engine.has_work import has_work
from inbox.engine.ingest import ingest
from inbox.engine.reclaim import reclaim_claimed_by
from inbox.engine.sweeps.turn import SweepKind, take_turn
from inbox.job_counts import NO_JOBS, JobCounts
from inbox.models import InboxJob, InboxWorker, PollWatermark
from inbox.worker import clock
from inbox.worker.clock import ClockWatch, move_times
from inbox.worker.ingester import Ingester
from inbox.worker.liveness import find_gone
from inbox.worker.reclaimer import Reclaimer
from tests.support.probe import claim_all, probe_source
from tests.support.rows import job, seconds_ago, send
from tests.support.workers import worker

pytestmark = pytest.mark.django_db(transaction=True)

SOURCE = probe_source()


def go_back(seconds):
    """As if the clock had gone back: what it left lies so far ahead."""
    step = timedelta(seconds=seconds)
    mark = PollWatermark.objects.filter(last_created_at__isnull=False)
    mark.update(
        last_created_at=F("last_created_at") + step,
        next_lookback_at=F("next_lookback_at") + step,
        next_reconcile_at=F("next_reconcile_at") + step,
    )
    InboxJob.objects.update(
        next_attempt_at=F("next_attempt_at") + step,
        updated_at=F("updated_at") + step,
        source_created_at=F("source_created_at") + step,
    )
    InboxWorker.objects.update(last_seen_at=F("last_seen_at") + step)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE integration_send_serviceops SET created_at = created_at + %s", [step])


def messages_with_a_job():
    return sorted(InboxJob.objects.values_list("message_id", flat=True))


@pytest.mark.parametrize("seconds", [2, 300, 1200, 7200])
def test_a_watermark_ahead_of_the_clock_is_set_back_and_the_sweeps_begin(seconds, caplog):
    known = send({})
    ingester = Ingester([SOURCE])
    ingester.ingest()
    ingester.sweep_to_end()
    go_back(seconds)
    late = send({}, created_at=seconds_ago(600))
    very_late = send({}, created_at=seconds_ago(100_000))
    new = send({})
    assert has_work([SOURCE])
    ingester.ingest()
    assert PollWatermark.objects.filter(last_created_at__lte=Now()).exists()
    ingester.sweep_to_end()
    assert messages_with_a_job() == sorted([known, late, very_late, new])
    assert [record.msg["event"] for record in caplog.records if "clock" in record.msg["event"]] == [
        "the database's clock has gone back: the watermark is set back to it, and the sweeps begin"
    ]


def test_a_step_of_less_than_the_overlap_is_none():
    send({})
    ingest(SOURCE)
    go_back(0.2)
    before = PollWatermark.objects.get()
    new = send({})
    ingest(SOURCE)
    after = PollWatermark.objects.get()
    assert new in messages_with_a_job()
    assert after.next_reconcile_at == before.next_reconcile_at


def test_the_watermark_moves_past_rows_that_have_a_job_so_that_no_poll_reads_them_again():
    """After a step back the clock goes through a time whose rows have their jobs."""
    first, second = send({}, created_at=seconds_ago(20)), send({}, created_at=seconds_ago(10))
    ingest(SOURCE)
    PollWatermark.objects.update(
        last_created_at=seconds_ago(30), next_lookback_at=seconds_ago(-5), next_reconcile_at=seconds_ago(-5)
    )
    assert has_work([SOURCE])
    assert ingest(SOURCE).count == 0
    assert PollWatermark.objects.get().last_message_id == second
    assert not has_work([probe_source_without_jobs()])
    assert messages_with_a_job() == [first, second]


def probe_source_without_jobs():
    """The source, of which no job can be claimed, as there is no handler."""
    source = probe_source()
    source.handlers.clear()
    return source


def test_a_watermark_does_not_pass_rows_that_a_full_poll_has_left():
    rows = [send({}, created_at=seconds_ago(age)) for age in (40, 30, 20)]
    assert ingest(SOURCE, limit=2).is_full
    assert PollWatermark.objects.get().last_message_id == rows[1]


@pytest.mark.parametrize(("kind", "most_s"), [(SweepKind.LOOKBACK, 225), (SweepKind.RECONCILE, 3600)])
def test_a_turn_further_ahead_than_its_longest_period_is_due(kind, most_s):
    PollWatermark.objects.create(source="test", **{kind.turn: seconds_ago(-most_s + 10)})
    assert take_turn(SOURCE, kind) is None
    PollWatermark.objects.update(**{kind.turn: seconds_ago(-most_s - 10)})
    assert take_turn(SOURCE, kind)


def test_jobs_wait_no_longer_than_they_would_have():
    due = job(next_attempt_at=seconds_ago(5))
    failed = job(status="FAILED", attempt_count=1, next_attempt_at=seconds_ago(-60))
    waiting = job(status="WAITING", next_attempt_at=seconds_ago(-300))
    postponed = job(next_attempt_at=seconds_ago(-86400))
    go_back(1200)
    assert not claim_all(SOURCE)
    assert move_times(batch_size=2) == (3, True)
    assert claim_all(SOURCE).all_inbox_ids == [due.pk]
    left_s = {
        made.pk: (InboxJob.objects.get(pk=made.pk).next_attempt_at - seconds_ago(0)).total_seconds()
        for made in (failed, waiting, postponed)
    }
    assert 0 < left_s[failed.pk] <= 60
    assert 240 < left_s[waiting.pk] <= 300
    assert left_s[postponed.pk] > 86400
    assert move_times(batch_size=2) == (0, True)


def test_a_worker_does_other_work_before_it_has_moved_all_times(monkeypatch):
    monkeypatch.setattr(clock, "MOVES_FOR_S", 0.0)
    for _ in range(5):
        job(status="FAILED", attempt_count=1)
    go_back(1200)
    reclaimer = Reclaimer(batch_size=2)
    for left in (3, 1, 0):
        reclaimer.gone.restart(0)
        assert reclaimer.reclaim_due(None, NO_JOBS)
        assert InboxJob.objects.filter(next_attempt_at__gt=seconds_ago(-1)).count() == left


def jump(reclaimer, seconds):
    """As if the database's clock had jumped since the reclaimer looked at it."""
    if ahead_s := reclaimer._clock._ahead_s:
        reclaimer._clock._ahead_s = tuple(bound - seconds for bound in ahead_s)


def test_a_reclaimer_moves_times_as_it_begins_and_when_the_clock_jumps(monkeypatch):
    moved = []
    monkeypatch.setattr("inbox.worker.reclaimer.move_times", lambda **_: (moved.append("times") or 0, True))
    monkeypatch.setattr("inbox.worker.reclaimer.make_sweeps_due", lambda: moved.append("sweeps"))
    reclaimer = Reclaimer(batch_size=10)

    def look(*, jump_s=0.0):
        jump(reclaimer, jump_s)
        reclaimer.gone.restart(0)
        reclaimer.reclaim_due(None, NO_JOBS)
        return moved

    assert look() == ["times"]
    moved.clear()
    assert look() == []
    for seconds in (-1200, 1200):
        assert look(jump_s=seconds) == ["sweeps", "times"]
        moved.clear()


def test_after_a_jump_claims_are_reclaimed_by_age_only_once_their_workers_could_renew_them():
    reclaimer = Reclaimer(batch_size=10)
    reclaimer.reclaim_due(None, NO_JOBS)
    in_flight = job(status="PROCESSING", locked_at=seconds_ago(1200))
    jump(reclaimer, 1200)
    reclaimer.gone.restart(0)
    reclaimer.stale.restart(0)
    reclaimer.reclaim_due(None, NO_JOBS)
    assert InboxJob.objects.get(pk=in_flight.pk).status == "PROCESSING"
    assert reclaimer.stale.due_in_s() > 30
    reclaimer.stale.restart(0)
    reclaimer.reclaim_due(None, NO_JOBS)
    assert InboxJob.objects.get(pk=in_flight.pk).status == "NEW"


def test_a_clock_watch_tells_jumps_from_the_time_that_has_passed(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(clock, "time", SimpleNamespace(monotonic=lambda: now[0]))
    watch = ClockWatch()

    def ask(database_s, *, answer_took_s=0.0):
        asked_at = now[0]
        now[0] += answer_took_s
        watch.tell(asked_at, database_s)
        return watch.jumped_s if watch.has_jumped else 0

    assert ask(1000) == 0
    now[0] += 60
    assert ask(1060) == 0
    assert ask(1040) == -20
    assert ask(1040) == 0
    # Somewhere on the way the machine has stood still.
    assert ask(1040, answer_took_s=30) == 0
    assert ask(1070) == 0
    assert ask(1100, answer_took_s=30) == 0
    assert ask(1100) == 0
    assert ask(1200, answer_took_s=30) == pytest.approx(70)


def test_a_process_that_was_seen_in_the_future_notes_that_it_is_alive_and_a_silent_one_is_gone():
    me, silent = worker(), worker(has_presence=False)
    go_back(1200)
    assert find_gone(me, NO_JOBS) == [silent]
    assert InboxWorker.objects.get(pk=me).last_seen_at <= seconds_ago(-1)


def test_after_a_jump_ahead_the_lookback_reaches_as_much_further_back():
    """A transaction under way when the clock jumped commits with a time that lies behind the lookback."""
    for age in (4000, 1):
        send({}, created_at=seconds_ago(age))
    ingester = Ingester([SOURCE])
    ingester.ingest()
    ingester.sweep_to_end()
    ingester.clock_has_jumped(-500)
    for jump_s in (2000, 1200):
        ingester.clock_has_jumped(jump_s)
    late = send({}, created_at=seconds_ago(4000))
    PollWatermark.objects.update(next_lookback_at=seconds_ago(1))
    ingester.ingest()
    ingester.sweep_to_end()
    assert late in messages_with_a_job()
    mark = PollWatermark.objects.get()
    assert (mark.lookback_finds, mark.reconcile_finds) == (1, 0)


STARTED_IN_20_MINUTES = """
CREATE SCHEMA ahead;
CREATE FUNCTION ahead.pg_postmaster_start_time() RETURNS timestamptz LANGUAGE sql STABLE
       AS $$ SELECT now() + interval '20 minutes' $$;
SELECT set_config('search_path', 'ahead, pg_catalog, ' || current_setting('search_path'), true)
"""


def test_a_job_that_kills_its_worker_is_blamed_though_the_start_of_the_server_lies_ahead():
    killer = job(status="PROCESSING", runs_alone=True, presence_id=7)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(STARTED_IN_20_MINUTES)
        assert reclaim_claimed_by([7], max_attempts=5, limit=10) == JobCounts(failed=1)
        transaction.set_rollback(True)
    assert InboxJob.objects.get(pk=killer.pk).status == "PROCESSING"
