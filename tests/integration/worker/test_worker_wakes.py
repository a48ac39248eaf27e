"""An idle worker is notified of work at once, costs almost nothing until then, and finds what no notification names."""

import select
import signal
from datetime import timedelta
from functools import partial
from types import SimpleNamespace

import pytest
from django.db import connection, transaction

from inbox.db.notify import notify
from inbox.models import InboxJob, InboxWorker, PollWatermark
from inbox.worker.loop import Worker
from inbox.worker.presence import LOCK_CLASS, Presence
from inbox.worker.schedule import HEAD_START_S, YIELD_AFTER
from inbox.worker.signals import Stop
from tests.support.probe import make_witness_table, probe_source, wait_until, witnesses
from tests.support.rows import esmd, send, tracking_id

pytestmark = pytest.mark.django_db(transaction=True)

# It would look by itself every 5 minutes only.
SELDOM = ["--poll-interval", "60"]


def is_done(message_id):
    return InboxJob.objects.filter(message_id=message_id, status="DONE").exists()


def idle_worker(start_command, *options, **environment):
    """A worker process that has worked on a first message, and so waits for the next one."""
    process = start_command("run_inbox_worker", *options, **environment)
    first = send(esmd(), tracking_id(1))
    wait_until(lambda: is_done(first), timeout_s=40)
    return process


def running():
    return InboxWorker.objects.get(state="RUNNING")


def test_a_worker_that_seldom_polls_is_woken_by_a_plain_insert(start_command):
    idle_worker(start_command, *SELDOM)
    for number in (2, 3):
        message = send(esmd(), tracking_id(number))
        wait_until(lambda message=message: is_done(message))


def test_a_worker_that_lost_its_presence_registers_again_and_misses_nothing(start_command):
    """The message and the end of the presence's backend come together, so nobody is notified of the message."""
    process = idle_worker(start_command, *SELDOM)
    before = running()
    with transaction.atomic(), connection.cursor() as cursor:
        message = send(esmd(), tracking_id(2))
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 20000) FROM pg_locks WHERE classid = %s AND objid = %s",
            [LOCK_CLASS, before.pk],
        )
        assert cursor.fetchall() == [(True,)]
    wait_until(lambda: is_done(message))
    wait_until(lambda: InboxWorker.objects.get(pk=before.pk).state == "GONE")
    after = running()
    assert (after.worker_id, after.pid, after.has_presence) == (before.worker_id, process.pid, True)
    assert InboxJob.objects.get(message_id=message).presence_id == after.pk > before.pk
    woken = send(esmd(), tracking_id(3))
    wait_until(lambda: is_done(woken))


def test_a_worker_whose_direct_way_leads_nowhere_works_all_the_same(start_command):
    worker = idle_worker(start_command, DATABASE_DIRECT_URL="postgresql://nobody@127.0.0.1:1/nowhere")
    message = send(esmd(), tracking_id(2))
    wait_until(lambda: is_done(message))
    worker.send_signal(signal.SIGTERM)
    out, err = worker.communicate(timeout=20)
    assert worker.returncode == 0, err
    assert err.count("no connection for presence; going on without") == 1


def test_a_worker_that_begins_to_listen_polls_for_what_came_before():
    """It had no connection for LISTEN until now, so it was not notified."""

    def register(*, has_own_connection=True):
        return Presence("worker A", "test", has_own_connection=has_own_connection and not is_closed)

    is_closed = True
    worker = Worker(
        sources=[probe_source()], worker_id="worker A", batch_size=10, poll_interval_s=60, register=register
    )
    make_witness_table()
    worker.recovery._renew_registration()
    while worker.tick():
        pass
    send({})
    is_closed = False
    worker.recovery._renew_registration()
    assert worker.registration.is_seen
    worker.tick()
    assert len(witnesses()) == 1
    worker.registration.end(worker.counts, leaves_jobs=False)


def test_a_running_worker_finds_what_commits_a_moment_and_an_hour_behind_the_watermark(start_command):
    worker = idle_worker(start_command, "--poll-interval", "0.1", INBOX_RECONCILE_EVERY="1")
    mark = PollWatermark.objects.get().last_created_at
    with transaction.atomic():
        just_late = send(esmd(), tracking_id(2), created_at=mark - timedelta(milliseconds=1))
        very_late = send(esmd(), tracking_id(3), created_at=mark - timedelta(hours=1))
        make_the_lookback_due()
    wait_until(lambda: is_done(just_late) and is_done(very_late))
    worker.send_signal(signal.SIGTERM)
    out, err = worker.communicate(timeout=20)
    assert worker.returncode == 0, err
    assert PollWatermark.objects.get().reconcile_finds == 1
    assert "incident: the reconcile found rows" in err


def make_the_lookback_due():
    with connection.cursor() as cursor:
        cursor.execute("UPDATE poll_watermark SET next_lookback_at = now()")


class FakeTime(Stop):
    """Waiting takes no time, but moves the clock of the worker's timers; `on_wait` sees each wait before that.

    By a millisecond, if there is something to read.
    """

    def __init__(self, *, end_s, on_wait):
        super().__init__()
        self.now = 0.0
        self.end_s = end_s
        self.on_wait = on_wait

    def monotonic(self):
        return self.now

    def wait(self, timeout_s, *others):
        self.on_wait()
        self.now += 0.001 if select.select(others, [], [], 0)[0] else timeout_s
        if self.now >= self.end_s:
            self.ask()


@pytest.fixture
def idle(monkeypatch):
    """Runs a worker in this process without work, by a fake clock; returns its number of queries between two waits."""

    def run(seconds, at_each_wait=lambda worker: None, messages=1):
        counts = []
        sent = []

        def count_queries(execute, *query):
            sent.append(query)
            return execute(*query)

        def on_wait():
            counts.append(len(sent))
            at_each_wait(worker)
            sent.clear()

        time = FakeTime(end_s=seconds, on_wait=on_wait)
        monkeypatch.setattr("inbox.worker.timer.time", SimpleNamespace(monotonic=time.monotonic))
        worker = Worker(
            sources=[probe_source()],
            worker_id="worker A",
            batch_size=10,
            poll_interval_s=1,
            stop=time,
            register=partial(Presence, "worker A", "test"),
        )
        make_witness_table()
        send({})
        with connection.execute_wrapper(count_queries):
            worker.run()
        assert len(witnesses()) == messages
        return counts

    return run


def test_an_idle_worker_sends_one_query_for_each_thing_that_is_due(idle):
    """Every second it checks who is alive; it polls every 5 s, reclaims every 30 s, counts connections every 45 s."""
    due = []

    def note_what_is_due_next(worker):
        next_in_s = min(timer.due_in_s() for timer in timers(worker))
        due.append(sum(timer.due_in_s() <= next_in_s for timer in timers(worker)))

    first, *idle_counts = idle(61, note_what_is_due_next)
    assert idle_counts == due[:-1]
    assert len(idle_counts) == 60
    assert sum(idle_counts) == 60 + 12 + 2 + 1


def timers(worker):
    return worker.reclaimer.gone, worker.schedule.poll, worker.reclaimer.stale, worker.registration.counting


def test_an_idle_worker_sends_two_queries_a_second_at_most_with_the_lookbacks_of_all(idle):
    """It does each lookback alone, as the only worker; of many, one does."""
    next_lookback = iter(range(10, 1000, 10))
    due_at_s = [next(next_lookback)]

    def every_ten_seconds(worker):
        if worker.stop.now >= due_at_s[0]:
            due_at_s[0] = next(next_lookback)
            make_the_lookback_due()

    first, *idle_counts = idle(61, every_ten_seconds)
    assert sum(idle_counts) <= 2 * 60, idle_counts


def tell(worker):
    """A notification that this worker receives before it does anything else."""
    notify()
    assert select.select([worker.registration.presence], [], [], 20)[0]


def test_a_worker_that_always_comes_too_late_only_polls(idle):
    """No notification brings this worker work. The first ones cost it a whole round, later ones a poll."""
    first, *costs = [cost for cost in idle(0.5, tell) if cost]
    assert min(costs[:YIELD_AFTER]) > 1, costs
    # It has just checked who is alive, and nothing else is due in so short a time.
    assert set(costs[YIELD_AFTER:]) == {1}, costs
    assert len(costs) > 50


def test_a_worker_that_always_comes_too_late_takes_what_the_others_leave(idle):
    """And is quick again from then on: the next notification begins a round at once."""
    done = []

    def tell_and_at_last_send(worker):
        done.append(len(witnesses()))
        if len(done) == 20:
            send({})
        tell(worker)

    costs = idle(0.5, tell_and_at_last_send, messages=2)
    found = done.index(2)
    # A step of the clock is a millisecond.
    assert found <= 20 + HEAD_START_S * 1000 + 1
    assert costs[found + 1] > 1, costs
