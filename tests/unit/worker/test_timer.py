"""A timer is due at once, and again so many seconds after each restart."""

import pytest

from inbox.worker.timer import Timer

pytestmark = pytest.mark.usefixtures("clock")


def test_a_new_timer_is_due():
    assert Timer(60).is_due()


def test_a_restarted_timer_is_due_after_its_time(clock):
    timer = Timer(60)
    timer.restart()
    assert (timer.is_due(), timer.due_in_s()) == (False, 60)
    clock.now_s += 60
    assert (timer.is_due(), timer.due_in_s()) == (True, 0)


def test_a_restart_may_change_the_time(clock):
    timer = Timer(60)
    timer.restart(5)
    assert timer.due_in_s() == 5
    clock.now_s += 5
    timer.restart()
    assert timer.due_in_s() == 5


@pytest.mark.parametrize(("forward_s", "due_in_s"), [(2, 2), (60, 60), (90, 60)])
def test_a_timer_is_brought_forward_and_never_put_off(forward_s, due_in_s):
    timer = Timer(60)
    timer.restart()
    timer.bring_forward(forward_s)
    assert timer.due_in_s() == pytest.approx(due_in_s)


def test_a_due_timer_stays_due_when_it_is_brought_forward():
    timer = Timer(60)
    timer.bring_forward(2)
    assert timer.is_due()
