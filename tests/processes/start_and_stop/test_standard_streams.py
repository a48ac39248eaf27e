"""Workers whose standard streams are closed, full, or read by nobody: the work goes on, and nothing else breaks."""

import os
import signal
import subprocess
import sys

import pytest

from inbox.models import InboxJob, InboxWorker
from tests.support.probe import wait_until
from tests.support.project import PROJECT
from tests.support.rows import esmd, send, tracking_id

pytestmark = pytest.mark.django_db(transaction=True)

REDIRECTIONS = ["2>&-", "0<&- 1>&- 2>&-", "1>/dev/full 2>/dev/full"]


@pytest.fixture
def start_in_shell(command_environment):
    """Starts a manage.py command with redirections of a shell."""
    started = []

    def start(command, redirections):
        line = f"exec {sys.executable} manage.py {command} {redirections}"
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(["sh", "-c", line], cwd=PROJECT, env=command_environment, text=True, **pipes))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            pipe.close()


def end_by_signal(worker):
    """SIGTERM an idle worker; returns its exit code."""
    wait_until(lambda: InboxWorker.objects.filter(state="RUNNING").exists(), timeout_s=60)
    message = send(esmd(), tracking_id(1))
    wait_until(lambda: InboxJob.objects.filter(message_id=message, status="DONE").exists(), timeout_s=60)
    worker.send_signal(signal.SIGTERM)
    return worker.wait(60)


@pytest.mark.parametrize("redirections", REDIRECTIONS)
def test_a_drain_does_its_work_and_exits_with_0(start_in_shell, redirections):
    message = send(esmd(), tracking_id(1))
    worker = start_in_shell("run_inbox_worker --drain", redirections)
    assert worker.wait(60) == 0
    assert InboxJob.objects.get(message_id=message).status == "DONE"


def test_a_worker_without_stderr_says_no_goodbye_to_its_database(start_in_shell):
    """The connection that took the number of stderr would get the text of the signal, and break."""
    assert end_by_signal(start_in_shell("run_inbox_worker", "2>&-")) == 0
    [worker] = InboxWorker.objects.all()
    assert (worker.state, worker.done_count) == ("STOPPED", 1)


def test_a_worker_stops_well_when_nobody_reads_its_stderr_any_more(start_in_shell):
    worker = start_in_shell("run_inbox_worker", "")
    worker.stderr.close()
    worker.stdout.close()
    assert end_by_signal(worker) == 0
    assert [worker.state for worker in InboxWorker.objects.all()] == ["STOPPED"]


def test_a_command_that_is_there_to_print_fails_when_it_can_not(command_environment):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "manage.py", "inbox_status"],
            cwd=PROJECT,
            env=command_environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert (done.returncode, done.stderr.strip()) == (
        1,
        f"CommandError: stdout could not be written: {os.strerror(28)}",
    )
