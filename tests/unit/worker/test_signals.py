"""A first signal asks a worker to stop; a second one that comes later stops it now."""

import os
import signal
from contextlib import contextmanager, suppress

import pytest

from config.early_stop import end_on_signals
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


@contextmanager
def full_stderr():
    """Descriptor 2 is a pipe that is full and that nobody reads. Not a fixture: pytest takes 2 back after those."""
    kept, (read_end, write_end) = os.dup(2), os.pipe()
    os.set_blocking(write_end, False)
    for part in (b"x" * 65536, b"x"):
        with suppress(BlockingIOError):
            while True:
                os.write(write_end, part)
    os.set_blocking(write_end, True)
    os.dup2(write_end, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        for descriptor in (kept, read_end, write_end):
            os.close(descriptor)


@pytest.mark.timeout(20)
def test_a_signal_does_not_wait_for_the_reader_of_stderr():
    stop = Stop()
    stop.install()
    with full_stderr():
        signal.raise_signal(signal.SIGTERM)
    stop.uninstall()
    assert stop.is_asked


@pytest.mark.timeout(20)
def test_neither_does_a_signal_before_there_is_work():
    with full_stderr():
        child = os.fork()
        if not child:
            signal.alarm(10)
            end_on_signals()
            signal.raise_signal(signal.SIGTERM)
        assert os.waitpid(child, 0)[1] == 0
