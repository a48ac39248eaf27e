"""Real worker processes for a race: each registers, claims jobs, and then waits until it is killed.

They are forks of one process (verification/proof/forks.py). None outlives the process that proves, however that dies.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.conf import settings

from verification.protections.presence import out_in_processes


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """A worker process: its pid, its inbox_worker.id, and the keys of the jobs that it has claimed."""

    pid: int
    id: int
    inbox_ids: list[int]

    def kill(self) -> None:
        """SIGKILL; does nothing if it has ended."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


@contextmanager
def worker_process(limit: int) -> Iterator[WorkerProcess]:
    """A new process that claims at most `limit` jobs; it is killed at the end. Raises RuntimeError."""
    forks = _forks()
    assert forks.stdin  # noqa: S101 for the types
    assert forks.stdout  # noqa: S101
    forks.stdin.write(json.dumps({"limit": limit, "without": sorted(out_in_processes)}) + "\n")
    forks.stdin.flush()
    answer = json.loads(forks.stdout.readline() or '{"error": "it ended"}')
    if "error" in answer:
        raise RuntimeError(f"a worker process did not start: {answer['error']}")
    worker = WorkerProcess(**answer)
    try:
        yield worker
    finally:
        worker.kill()


@cache
def _forks() -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "verification.proof.forks"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=Path(settings.BASE_DIR), stdin=pipe, stdout=pipe, text=True)
