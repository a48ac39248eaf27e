"""Waits for what no event tells of."""

import time
from collections.abc import Callable


def wait_until(is_so: Callable[[], object], timeout_s: float = 20) -> None:
    """Poll until the condition holds; fails after `timeout_s` seconds."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)
