"""A first signal asks a worker to stop; a second one that comes later stops it now."""

import signal

import pytest

from inbox.worker.signals import Stop, StopNow


@pytest.fixture
def asked_once():
    """A Stop of this process that has had its first signal."""
    stop = Stop()
    stop.install()
    signal.raise_signal(signal.SIGTERM)
    yield stop
    stop.uninstall()


def test_the_handlers_of_before_are_back_afterwards():
    before = signal.getsignal(signal.SIGTERM)
    stop = Stop()
    stop.install()
    stop.uninstall()
    assert signal.getsignal(signal.SIGTERM) is before


def test_one_request_that_arrives_twice_is_one_signal(asked_once, monkeypatch):
    """As from GNU timeout, which signals a process and then its group."""
    monkeypatch.setattr("inbox.worker.signals.SAME_REQUEST_S", 60)
    signal.raise_signal(signal.SIGINT)
    assert asked_once.is_asked


def test_a_second_signal_that_comes_later_stops_now(asked_once, monkeypatch):
    monkeypatch.setattr("inbox.worker.signals.SAME_REQUEST_S", 0)
    with pytest.raises(StopNow):
        signal.raise_signal(signal.SIGINT)
