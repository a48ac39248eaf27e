"""When the inbox counts as stalled, and when it does not."""

import re

import pytest

from inbox.models import InboxJob, InboxTally, InboxWorker, PollWatermark
from inbox.monitoring.diagnosis import find_stalls
from inbox.monitoring.snapshot import take_page_snapshot, take_snapshot
from inbox.worker.presence import Presence
from tests.support.rows import esmd, job, seconds_ago, send, tracking_id
from tests.support.status import INTAKE, UNKNOWN, due_job, worker

pytestmark = pytest.mark.django_db(transaction=True)


def why_stalled(take=take_snapshot, **options):
    return [stall.why for stall in find_stalls(take(**options))]


def test_nothing_to_do_is_fine_even_without_a_worker():
    due_job(-60), job(**INTAKE, status="DONE")
    assert why_stalled() == []


def test_due_jobs_and_no_worker_is_a_standstill():
    due_job(), due_job()
    assert why_stalled() == ["2 jobs are due and no run_inbox_worker is running"]
    worker(command="another_command")
    worker(last_seen_at=seconds_ago(500))
    worker(state="STOPPED")
    assert len(why_stalled()) == 1
    worker()
    assert why_stalled() == []


def test_a_worker_that_shows_its_presence_is_alive_however_long_its_batch_takes():
    due_job()
    presence = Presence("worker A", "run_inbox_worker")
    InboxWorker.objects.update(last_seen_at=seconds_ago(500))
    assert why_stalled() == []
    presence.close()


def test_jobs_due_for_long_while_nothing_finishes_is_a_standstill():
    worker(), due_job(301)
    [why] = why_stalled()
    assert "none has finished for 5 min" in why
    job(**INTAKE, status="DONE", finished_at=seconds_ago(301))
    assert len(why_stalled()) == 1
    job(**INTAKE, status="DEAD", finished_at=seconds_ago(9))
    assert why_stalled() == []


def test_jobs_due_for_a_while_are_fine():
    worker(), due_job(100)
    assert why_stalled() == []


def test_it_sees_that_old_jobs_finish_behind_a_backlog_of_new_ones():
    worker()
    job(**INTAKE, status="DONE", finished_at=seconds_ago(9))
    due_job(400), due_job(400)
    assert why_stalled(newest=1) == []
    InboxJob.objects.filter(status="DONE").update(finished_at=seconds_ago(400))
    assert len(why_stalled(newest=1)) == 1


def test_a_page_asks_the_tallies_of_workers_whether_old_jobs_finish():
    me = worker()
    due_job(400), due_job(400)

    def say(minutes_ago, done):
        minute = seconds_ago(60 * minutes_ago)
        InboxTally.objects.create(minute=minute, worker_id=me.pk, done_count=done, failed_count=0, dead_count=0)

    say(30, 7), say(20, 9), say(1, 9)
    assert len(why_stalled(take_page_snapshot, newest=1)) == 1
    say(0, 10)
    assert why_stalled(take_page_snapshot, newest=1) == []


def test_a_claim_that_nobody_reclaimed_is_a_standstill(settings):
    worker()
    claimed = due_job(status="PROCESSING", locked_at=seconds_ago(100))
    assert why_stalled() == []
    InboxJob.objects.filter(pk=claimed.pk).update(locked_at=seconds_ago(181))
    [why] = why_stalled()
    assert "1 job has been PROCESSING for more than 3 min" in why
    settings.INBOX_STALE_AFTER = 600.0
    assert why_stalled() == []


def test_due_jobs_that_nothing_here_can_handle_are_a_standstill():
    due_job(-60, **UNKNOWN)
    assert why_stalled() == []
    due_job(**UNKNOWN)
    assert why_stalled() == ["1 job is due without a handler here: integration/no such type"]


def test_rows_that_nobody_ingests_are_a_standstill():
    send(esmd(), tracking_id(1), created_at=seconds_ago(100))
    assert why_stalled() == []
    send(esmd(), tracking_id(2), created_at=seconds_ago(301))
    [why] = why_stalled()
    assert re.match(r"rows of integration waiting to be ingested: 2, the oldest for 5 min$", why)
    send(esmd(), tracking_id(3), created_at="-infinity")
    assert why_stalled() == ["rows of integration waiting to be ingested: 3, the oldest for an unknown time"]
    PollWatermark.objects.create(source="integration")
    assert why_stalled() == []
