"""Signals at any moment of a worker's life, also as PID 1, which gets only those that it has a handler for."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from inbox.models import InboxWorker
from tests.support.probe import wait_until
from tests.support.project import PROJECT

# Less than connect_timeout, after which a worker that took no notice would look at its signals.
ENDS_WITHIN_S = 8.0
AS_PID_1 = ["unshare", *(["-r"] if os.geteuid() else []), "--pid", "--fork", "--mount-proc", "--kill-child"]
NO_WORK = "Stopped; no work was in hand.\n"
STANDS_FOR_DJANGO = """
import socket, time
socket.create_connection(("127.0.0.1", {port}))
time.sleep(60)
"""
SIGNALS_AS_PYTHON_ENDS = """
import os
class Late:
    def __del__(self, kill=os.kill, pid=os.getpid()):
        kill(pid, 15)
late = Late()
"""


@pytest.fixture
def silent_server():
    """Accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        yield listener


@pytest.fixture
def start_as_pid_1():
    """Starts a manage.py command as the first process of a container; returns it, and its pid out here."""
    if subprocess.run([*AS_PID_1, "true"], capture_output=True).returncode:
        pytest.skip("no namespaces of processes here")
    started = []

    def start(*arguments, url="", **environment):
        process = subprocess.Popen(
            [*AS_PID_1, sys.executable, "manage.py", *arguments],
            cwd=PROJECT,
            env={**os.environ, "DEBUG": "on", "SECRET_KEY": "x", "DATABASE_URL": url, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        wait_until(lambda: children.read_text())
        return process, int(children.read_text())

    yield start
    for process in started:
        process.kill()
        process.communicate()


def url_of(server):
    return f"postgresql://nobody@127.0.0.1:{server.getsockname()[1]}/none"


def test_pid_1_ends_while_it_imports_django(start_as_pid_1, silent_server, tmp_path):
    """A module in place of Django tells when it is imported, and does not return."""
    (tmp_path / "django.py").write_text(STANDS_FOR_DJANGO.format(port=silent_server.getsockname()[1]))
    process, pid = start_as_pid_1("run_inbox_worker", PYTHONPATH=str(tmp_path))
    with silent_server.accept()[0]:
        os.kill(pid, signal.SIGTERM)
        assert process.communicate(timeout=ENDS_WITHIN_S)[1] == NO_WORK
    assert process.returncode == 0


def test_a_signal_that_comes_while_python_ends_does_not_change_the_exit_code(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(SIGNALS_AS_PYTHON_ENDS)
    done = subprocess.run(
        [sys.executable, "manage.py", "run_inbox_worker", "--help"],
        cwd=PROJECT,
        env={**os.environ, "DEBUG": "on", "SECRET_KEY": "x", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
    )
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("command", "number"),
    [
        ("run_inbox_worker", signal.SIGTERM),
        ("run_clinical_ops_poller", signal.SIGHUP),
        ("reclaim_stuck_jobs", signal.SIGINT),
    ],
)
def test_pid_1_ends_while_it_waits_for_a_database_that_never_answers(start_as_pid_1, silent_server, command, number):
    process, pid = start_as_pid_1(command, url=url_of(silent_server))
    with silent_server.accept()[0]:
        os.kill(pid, number)
        assert process.communicate(timeout=ENDS_WITHIN_S)[1] == NO_WORK
    assert process.returncode == 0


@pytest.mark.django_db(transaction=True)
def test_a_hangup_ends_a_worker_as_sigterm_does_and_nohup_prevents_it(start_command):
    plain = start_command("run_inbox_worker", "--worker-id", "plain")
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        kept = start_command("run_inbox_worker", "--worker-id", "kept")
    finally:
        signal.signal(signal.SIGHUP, before)
    wait_until(lambda: InboxWorker.objects.filter(state="RUNNING").count() == 2, timeout_s=60)
    for worker in (kept, plain):
        worker.send_signal(signal.SIGHUP)
    assert plain.wait(60) == 0
    assert kept.poll() is None
    kept.send_signal(signal.SIGTERM)
    assert kept.wait(60) == 0
    assert "Stopping" in kept.stderr.read()
    assert set(InboxWorker.objects.values_list("worker_id", "state")) == {("plain", "STOPPED"), ("kept", "STOPPED")}
