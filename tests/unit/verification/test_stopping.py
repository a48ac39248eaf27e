"""Each signal that asks to stop is raised where what was begun is taken back, and then waits for that."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from verification.proof.stopping import STOPS, stops_raise


@pytest.fixture(autouse=True)
def handlers():
    before = {number: signal.getsignal(number) for number in STOPS}
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", STOPS)
def test_it_raises_once_and_a_second_one_does_not_disturb_the_cleaning(number, handlers):
    # Under nohup it would be ignored.
    handlers = handlers | {number: signal.default_int_handler}
    signal.signal(number, signal.default_int_handler)
    cleaned = []

    def work():
        with stops_raise() as ignore:
            try:
                os.kill(os.getpid(), number)
            finally:
                ignore()
                os.kill(os.getpid(), number)
                cleaned.append(number)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert cleaned == [number]
    assert {one: signal.getsignal(one) for one in STOPS} == handlers


def test_what_nohup_ignores_stays_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with stops_raise():
        os.kill(os.getpid(), signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_another_thread_leaves_the_signals_as_they_are(handlers):
    def run():
        with stops_raise() as ignore:
            ignore()
            return signal.getsignal(signal.SIGTERM)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(run).result() == handlers[signal.SIGTERM]
