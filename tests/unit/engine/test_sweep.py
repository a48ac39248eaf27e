"""How often a sweep runs."""

import pytest

from inbox.engine.sweep import _pause_s


@pytest.mark.parametrize(("took_s", "pause_s"), [(0.001, 10), (3, 30), (1000, 225)])
def test_a_long_lookback_comes_less_often_but_never_too_late(took_s, pause_s):
    assert _pause_s(took_s) == pytest.approx(pause_s)
