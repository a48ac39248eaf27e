"""Fixtures of tests of the worker: a clock that stands still until a test moves it."""

from types import SimpleNamespace

import pytest


@pytest.fixture
def clock(monkeypatch):
    """The time of timers; `clock.now_s += 3` lets three seconds pass."""
    clock = SimpleNamespace(now_s=1000.0)
    monkeypatch.setattr("inbox.worker.timer.time", SimpleNamespace(monotonic=lambda: clock.now_s))
    return clock
