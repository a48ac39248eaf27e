"""History comes from what workers write down, and is right however they come and go."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from django.db import connection
from django.utils import timezone

from inbox.job_counts import NO_JOBS, JobCounts
from inbox.models import InboxTally
from inbox.monitoring.ended_jobs import count_ended, dead_by_kind
from inbox.monitoring.history import BUCKET_MIN, HOURS, take_history
from inbox.worker.liveness import find_gone, sign_off
from inbox.worker.throughput import record_throughput
from tests.support.rows import job, seconds_ago
from tests.support.workers import at_minute, worker

pytestmark = pytest.mark.django_db(transaction=True)


def sums() -> tuple[int, int, int]:
    history = take_history().buckets
    return sum(b.done for b in history), sum(b.failed for b in history), sum(b.dead for b in history)


def test_a_heartbeat_is_written_with_the_counts():
    me = worker(last_seen_at=seconds_ago(11))
    assert find_gone(me, JobCounts(done=5, failed=2, dead=1)) == []
    row = InboxTally.objects.get()
    assert (row.worker_id, row.done_count, row.failed_count, row.dead_count) == (me, 5, 2, 1)
    # Within 10 s nothing more is written.
    find_gone(me, JobCounts(done=9))
    assert InboxTally.objects.get().done_count == 5


def test_a_check_by_a_process_that_is_no_worker_writes_nothing():
    worker(last_seen_at=seconds_ago(11))
    find_gone(None, NO_JOBS)
    assert not InboxTally.objects.exists()


def test_whoever_signs_off_writes_down_the_last_counts():
    me = worker()
    sign_off(me, JobCounts(done=3))
    assert InboxTally.objects.get().done_count == 3
    assert sums() == (3, 0, 0)


def test_a_minute_has_one_row_with_the_latest_counts():
    me = worker()
    minute = datetime(2031, 1, 1, tzinfo=UTC)
    record_throughput(me, JobCounts(done=1)), record_throughput(me, JobCounts(done=4))
    latest = InboxTally.objects.order_by("-minute")[0]
    assert latest.done_count == 4
    assert latest.minute < minute


def test_history_counts_differences_of_each_process():
    first, second = worker(started_s=3600), worker(started_s=3600)
    for minutes, done in ((59, 10), (30, 100), (2, 130)):
        at_minute(first, minutes, done, failed=done // 10)
    at_minute(second, 40, 1000), at_minute(second, 39, 1001, dead=1)
    # The first row of the second process, which began 20 minutes before it, only tells where to count from.
    assert sums() == (130 + 1, 13, 1)


def test_what_was_done_before_the_window_is_not_counted_into_it():
    old = worker(started_s=86400)
    at_minute(old, HOURS * 60 + 2, 1_000_000), at_minute(old, 10, 1_000_007)
    assert sums() == (7, 0, 0)


def test_history_has_every_bucket_and_ends_now():
    history = take_history().buckets
    assert len(history) == HOURS * 60 // BUCKET_MIN
    assert timezone.now() - history[-1].at < timedelta(minutes=BUCKET_MIN, seconds=30)
    gaps = {late.at - early.at for early, late in pairwise(history)}
    assert gaps == {timedelta(minutes=BUCKET_MIN)}


def test_old_rows_are_removed():
    me = worker()
    at_minute(me, 3 * 1440, 1)
    record_throughput(me, JobCounts(done=2))
    assert [row.done_count for row in InboxTally.objects.all()] == [2]


def test_latency_is_that_of_the_newest_jobs_that_are_done():
    for took_s in range(1, 101):
        job(status="DONE", created_at=seconds_ago(took_s), finished_at=seconds_ago(0))
    job(status="DEAD", finished_at=seconds_ago(0), created_at=seconds_ago(10_000))
    latency = take_history().latency
    assert latency.jobs == 100
    assert [int(took_s) for took_s in latency[1:]] == [50, 95, 99]


def test_without_jobs_and_workers_there_is_nothing_to_tell():
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE inbox_tally")
    history = take_history()
    assert history.latency == (0, None, None, None)
    assert sums() == (0, 0, 0)
    assert dead_by_kind(count_ended()) == {}
