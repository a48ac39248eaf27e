"""The processes of the demo: started together, watched, and ended together, whatever happens.

Failure modes: a port is taken, or a process dies; then all are ended, and the end of the log is shown.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

import psutil
from django.conf import settings
from django.db.models import Count

from decisions.models import SendIntegration
from packets.codes import DetailedStatus
from packets.models import Packet

GIVE_UP_AFTER_S = 15.0
# In the order of the flow; what a line of the demo shows.
SHOWN = {
    DetailedStatus.PENDING_NEW: "new",
    DetailedStatus.PENDING_CLINICAL_REVIEW: "in review",
    DetailedStatus.CLINICAL_DECISION_RECEIVED: "decided",
    DetailedStatus.PENDING_UTN: "sent",
    DetailedStatus.VALIDATION: "to be corrected",
    DetailedStatus.UTN_RECEIVED: "with a UTN",
    DetailedStatus.DISMISSAL: "dismissed",
}


class DemoFailed(Exception):
    """The demo can't go on; the text says why."""


@contextmanager
def demo(*, port: int, rate: int) -> Iterator["Demo"]:
    """Run everything until the end of the `with` block. Raises DemoFailed; the log is kept only then."""
    _refuse_taken_port(port)
    with NamedTemporaryFile(prefix="serviceops-demo-", suffix=".log", delete=False) as log:
        running = Demo(log)
        try:
            running.start_all(port, rate)
            yield running
        finally:
            running.end_all()
    running.log.unlink(missing_ok=True)


class Demo:
    """The running processes; `log` holds their output."""

    def __init__(self, log: IO[bytes]) -> None:
        self.log = Path(log.name)
        self._log = log
        self._processes: dict[str, psutil.Popen] = {}
        self._began = time.monotonic()

    @property
    def age_s(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._began

    def check(self) -> None:
        """Raise DemoFailed if a process has ended by itself."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise DemoFailed(f"{name} has ended with {process.returncode}. {self._end_of_log()}")

    def start_all(self, port: int, rate: int) -> None:
        """Raises DemoFailed if the generator does not start."""
        generator = self._start("generator", "pretend_generator", "--port", "0", "--fail", "10", stdout=subprocess.PIPE)
        with generator.stdout as said:
            address = said.readline().decode().strip().partition("=")[2]
        if not address:
            raise DemoFailed(f"the pretended generator did not start. {self._end_of_log()}")
        self._start("poller", "run_clinical_ops_poller", JSON_GENERATOR_BASE_URL=address, INBOX_BACKOFF="2,5,10")
        for number in (1, 2):
            self._start(f"worker {number}", "run_inbox_worker", INBOX_BACKOFF="2,5,10")
        self._start("reclaimer", "reclaim_stuck_jobs", "--loop")
        self._start("web", "runserver", "--noreload", f"127.0.0.1:{port}")
        self._start("neighbours", "pretend_neighbours", "--rate", str(rate))

    def end_all(self) -> None:
        """Ask all processes to end; kill those that have not after 15 s."""
        processes = self._processes.values()
        for process in processes:
            process.terminate()
        _, late = psutil.wait_procs(processes, timeout=GIVE_UP_AFTER_S)
        for process in late:
            process.kill()
            process.wait()

    def _start(self, name: str, *arguments: str, stdout: int | None = None, **environment: str) -> psutil.Popen:
        process = self._processes[name] = psutil.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=settings.BASE_DIR,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log if stdout is None else stdout,
            stderr=self._log,
            # Ctrl-C is for this process, which then ends the others.
            start_new_session=True,
        )
        return process

    def _end_of_log(self, lines: int = 20) -> str:
        return "\n".join(["The log says:", *self.log.read_text(errors="replace").splitlines()[-lines:]])


def packets_line() -> str:
    """Where the packets are now."""
    counts = dict(Packet.objects.values_list("detailed_status").annotate(count=Count("*")).order_by())
    return "packets: " + ", ".join(f"{counts.get(status, 0)} {name}" for status, name in SHOWN.items())


def summary() -> str:
    """The results of all demos so far."""
    return f"{Packet.objects.count():,} packets, {SendIntegration.objects.count():,} letters requested so far."


def _refuse_taken_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise DemoFailed(f"port {port} can't be used ({error.strerror}); --port takes another") from None
