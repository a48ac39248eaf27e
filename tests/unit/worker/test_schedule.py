"""When a worker polls: after notifications, when its interval is over and while there is a backlog."""

import pytest

from inbox.worker.schedule import HEAD_START_S, POLL_LESS_OFTEN, YIELD_AFTER, Schedule

POLL_S = 1.0


def never():
    raise AssertionError("the database was asked")


@pytest.fixture
def idle(clock):
    """The schedule of a worker that has just polled and found nothing."""
    schedule = Schedule(POLL_S)
    found_nothing(schedule)
    schedule.poll.restart()
    return schedule


def found_nothing(schedule):
    schedule.polled(has_claimed=False, has_backlog=False, has_more=False)


def test_a_worker_polls_as_soon_as_it_starts(clock):
    assert Schedule(POLL_S).is_time_to_poll(never)


def test_an_idle_worker_asks_for_work_once_an_interval(idle, clock):
    assert idle.is_idle
    assert not idle.is_time_to_poll(never)
    clock.now_s += POLL_S
    assert idle.is_time_to_poll(lambda: True)
    assert not idle.is_time_to_poll(never)
    clock.now_s += POLL_S
    assert not idle.is_time_to_poll(lambda: False)


def test_a_worker_polls_again_while_a_poll_may_bring_more(idle):
    idle.polled(has_claimed=True, has_backlog=False, has_more=True)
    assert not idle.is_idle
    assert idle.is_time_to_poll(never)


def test_a_worker_that_listens_polls_less_often(idle, clock):
    idle.set_listening(True)
    clock.now_s += POLL_S * (POLL_LESS_OFTEN - 1)
    assert not idle.is_time_to_poll(never)
    idle.set_listening(False)
    assert idle.is_time_to_poll(lambda: True)


def test_a_notification_wakes_an_idle_worker_at_once(idle):
    idle.notified()
    assert idle.is_time_to_poll(never)


def test_a_worker_yields_after_notifications_that_brought_nothing(idle, clock):
    for _ in range(YIELD_AFTER):
        idle.notified()
        found_nothing(idle)
    idle.notified()
    assert not idle.is_time_to_poll(never)
    clock.now_s += HEAD_START_S + 1e-6
    assert idle.is_time_to_poll(lambda: True)


def test_a_worker_that_claimed_jobs_yields_no_more(idle):
    for _ in range(YIELD_AFTER + 1):
        idle.notified()
    idle.polled(has_claimed=True, has_backlog=False, has_more=False)
    idle.notified()
    assert idle.is_time_to_poll(never)


def test_new_rows_wait_for_the_next_poll_while_there_is_a_backlog(idle, clock):
    assert idle.is_time_to_ingest()
    idle.polled(has_claimed=True, has_backlog=True, has_more=True)
    assert not idle.is_time_to_ingest()
    clock.now_s += POLL_S
    assert idle.is_time_to_ingest()
    idle.ingested()
    assert not idle.is_time_to_ingest()
