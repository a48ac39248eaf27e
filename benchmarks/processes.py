"""Processes that benchmarks run: start them, wait until they are ready, stop them."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from benchmarks import database

GIVE_UP_AFTER_S = 120.0


@contextmanager
def running(commands: list[list[str]], environment: dict[str, str]) -> Iterator[list[subprocess.Popen]]:
    """Run Python with these command lines, quietly, until the block ends."""
    start = partial(subprocess.Popen, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    processes = [start([sys.executable, *command]) for command in commands]
    try:
        yield processes
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def run_workers(url: str, count: int, *options: str, **settings: str) -> Iterator[list[subprocess.Popen]]:
    """Run `count` workers with these options and environment variables; yields once all have registered."""
    import psycopg

    command = ["manage.py", "run_inbox_worker", *options]
    with running([command] * count, database.environment(url) | settings) as processes:
        with psycopg.connect(url, autocommit=True) as connection:
            registered = "SELECT count(*) FROM inbox_worker"
            wait_until(lambda: connection.execute(registered).fetchone() == (count,), processes)
        yield processes


def wait_until(is_so: Callable[[], bool], processes: list[subprocess.Popen]) -> None:
    """Poll until `is_so`. Raises AssertionError after GIVE_UP_AFTER_S, or if one of the processes has ended."""
    deadline = time.monotonic() + GIVE_UP_AFTER_S
    while not is_so():
        assert time.monotonic() < deadline, f"nothing happened within {GIVE_UP_AFTER_S:g} s"
        assert all(process.poll() is None for process in processes), "a process has ended"
        time.sleep(0.05)
