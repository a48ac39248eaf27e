"""The front page's charts and ages."""

import pytest

from config.templatetags import front as tags
from config.web.charts import stacked


def test_bars_are_stacked_and_small_parts_are_seen():
    chart = stacked([("10:00", {"done": 1_000_000, "failed": 1}), ("10:05", {"done": 0, "failed": 0})])
    done, failed = chart.bars
    assert chart.summary == "1,000,000 done, 1 failed"
    assert chart.top == 1_000_001
    assert float(failed.height) == 1.5
    assert float(failed.y) < float(done.y)
    assert float(done.y) + float(done.height) == 100
    assert stacked([]).bars == []


@pytest.mark.parametrize(
    ("number_s", "said"),
    [(None, "-"), (0.0042, "0.0042 s"), (3.14, "3.1 s"), (60, "60 s"), (600, "10 min"), (9000, "2 h"), (1e6, "12 d")],
)
def test_ages_are_said_shortly(number_s, said):
    assert tags.age(number_s) == said
