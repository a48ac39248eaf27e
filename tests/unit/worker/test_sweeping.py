"""How much time sweeps get, how often they run, and which one is next."""

from types import SimpleNamespace

import pytest

from inbox.engine.sweeps.turn import SweepKind
from inbox.worker import share, sweeping
from inbox.worker.share import SAVED_S, Share
from inbox.worker.sweeping import Sweeping


class FakeTurn:
    """Notes the pause that a sweep leaves until the next."""

    def end(self, pause_s=0.0):
        self.pause_s = pause_s


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=1000.0)
    for module in (share, sweeping):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.mark.parametrize(
    ("kind", "took_s", "lasted_s", "pause_s"),
    [
        (SweepKind.LOOKBACK, 0.001, 0.001, 10),
        (SweepKind.LOOKBACK, 3, 3, 27),
        (SweepKind.LOOKBACK, 3, 20, 10),
        (SweepKind.LOOKBACK, 1000, 1000, 225),
        (SweepKind.RECONCILE, 1, 10, 3590),
        (SweepKind.RECONCILE, 1000, 9000, 900),
    ],
)
def test_a_long_sweep_comes_less_often_but_never_too_late(clock, monkeypatch, kind, took_s, lasted_s, pause_s):
    def one_step(source, kind, **options):
        clock.now += took_s
        yield 0

    monkeypatch.setattr(sweeping, "sweep", one_step)
    turn = FakeTurn()
    made = Sweeping(None, kind, turn)
    made.step()
    clock.now += lasted_s - took_s
    made.end()
    assert turn.pause_s == pytest.approx(pause_s)


def test_a_lookback_is_urgent_before_a_row_can_slip_through_and_a_reconcile_never(clock):
    made = {kind: Sweeping(None, kind) for kind in SweepKind}
    clock.now += 224
    assert not any(one.is_urgent for one in made.values())
    clock.now += 2
    assert [kind for kind, one in made.items() if one.is_urgent] == [SweepKind.LOOKBACK]
    clock.now += 100_000
    assert not made[SweepKind.RECONCILE].is_urgent


def test_steps_get_a_tenth_of_the_time_whatever_the_batches_between_take(clock):
    share = Share()
    spent = 0.0
    for batch_s in [0.05] * 400 + [20.0] * 10 + [0.05] * 400:
        clock.now += batch_s
        while share.is_free:
            clock.now += 0.1
            spent += 0.1
            share.spend(0.1)
    assert spent / (clock.now - 1000) == pytest.approx(0.1, rel=0.1)


def test_a_share_that_was_not_used_is_saved_for_a_minute_and_one_overdrawn_is_forgiven(clock):
    share = Share()
    clock.now += 10_000
    steps = 0
    while share.is_free:
        share.spend(1.0)
        steps += 1
    assert steps == pytest.approx(SAVED_S / 10, abs=1)
    # An idle worker asks for no leave.
    for _ in range(100):
        share.spend(1.0)
    clock.now += 10.1
    assert share.is_free
