"""The processes of the demo: started together, watched, and ended together, whatever happens.

What can go wrong: a port is taken, or a process dies; then all are ended, and the end of the log is shown.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import TracebackType
from typing import Self

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
    DetailedStatus.VALIDATION: "to be fixed",
    DetailedStatus.UTN_RECEIVED: "UTN here",
    DetailedStatus.DISMISSAL: "dismissed",
}


class DemoFailed(Exception):
    """The demo can't go on; the text says why."""


class Demo:
    """Runs from `with` to its end. `log` holds what its processes say."""

    def __init__(self, *, port: int, rate: int) -> None:
        self.port = port
        self.rate = rate
        with NamedTemporaryFile(prefix="serviceops-demo-", suffix=".log", delete=False) as log:
            self.log = Path(log.name)
        self._processes: dict[str, subprocess.Popen] = {}
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        self._refuse_taken_port()
        self._began = time.monotonic()
        try:
            self._start_all()
        except BaseException:
            self._end_all()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._end_all()
        if error is None:
            self.log.unlink(missing_ok=True)

    @property
    def age_s(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._began

    def check(self) -> None:
        """Raise DemoFailed if a process has ended by itself."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise DemoFailed(f"{name} has ended with {process.returncode}. The log says:\n{self._end_of_log()}")

    def line(self) -> str:
        """Where the packets are now."""
        rows = Packet.objects.values_list("detailed_status").annotate(count=Count("*"))
        counts = dict(rows)
        parts = [f"{counts.get(status, 0)} {name}" for status, name in SHOWN.items()]
        return f"{self.age_s:4.0f} s  packets: {', '.join(parts)}"

    def summary(self) -> str:
        """What has come of it, all demos together."""
        return f"{Packet.objects.count():,} packets, {SendIntegration.objects.count():,} letters requested so far."

    def _start_all(self) -> None:
        generator = self._start("generator", "pretend_generator", "--port", "0", "--fail", "10", stdout=subprocess.PIPE)
        address = self._first_line(generator).partition("=")[2]
        if not address:
            raise DemoFailed(f"the pretended generator did not start. The log says:\n{self._end_of_log()}")
        self._start("poller", "run_clinical_ops_poller", JSON_GENERATOR_BASE_URL=address, INBOX_BACKOFF="2,5,10")
        for number in (1, 2):
            self._start(f"worker {number}", "run_inbox_worker", INBOX_BACKOFF="2,5,10")
        self._start("reclaimer", "reclaim_stuck_jobs", "--loop")
        self._start("web", "runserver", "--noreload", f"127.0.0.1:{self.port}")
        self._start("neighbours", "pretend_neighbours", "--rate", str(self.rate))

    def _start(self, name: str, *arguments: str, stdout: int | None = None, **environment: str) -> subprocess.Popen:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "manage.py", *arguments],
                cwd=settings.BASE_DIR,
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                stdout=log if stdout is None else stdout,
                stderr=log,
                # Ctrl-C is for this process, which ends the others in its turn.
                start_new_session=True,
            )
        self._processes[name] = process
        return process

    @staticmethod
    def _first_line(process: subprocess.Popen) -> str:
        return process.stdout.readline().decode().strip() if process.stdout else ""

    def _end_all(self) -> None:
        for process in self._processes.values():
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + GIVE_UP_AFTER_S
        for process in self._processes.values():
            try:
                process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout:
                process.stdout.close()
        self._processes = {}

    def _refuse_taken_port(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError as error:
                raise DemoFailed(f"port {self.port} can't be used ({error.strerror}); --port takes another") from None

    def _end_of_log(self, lines: int = 20) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
