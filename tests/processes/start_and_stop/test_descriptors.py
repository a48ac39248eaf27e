"""Workers that have inherited more descriptors than select() can take, which ends at 1023."""

import signal
import socket
import subprocess
import sys

import pytest

from inbox.models import InboxJob, InboxWorker
from tests.support.generator import decision, job_for
from tests.support.probe import wait_until
from tests.support.project import PROJECT
from tests.support.rows import esmd, send, tracking_id

pytestmark = pytest.mark.django_db(transaction=True)

# Leaves no descriptor up to 1100 free for the program that it becomes.
TAKE_MANY = """
import os, resource, sys
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
while (taken := os.dup(0)) <= 1100:
    os.set_inheritable(taken, True)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@pytest.fixture
def start_with_many(command_environment):
    """Starts a manage.py command that has inherited 1,100 descriptors."""
    started = []

    def start(*arguments, **environment):
        process = subprocess.Popen(
            [sys.executable, "-c", TAKE_MANY, "manage.py", *arguments],
            cwd=PROJECT,
            env=command_environment | environment,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_worker_idles_works_and_stops(start_with_many):
    worker = start_with_many("run_inbox_worker", "--poll-interval", "600")
    wait_until(lambda: InboxWorker.objects.filter(state="RUNNING", has_presence=True).exists(), timeout_s=60)
    for number in (1, 2):
        # The second comes while it waits for a notification.
        message = send(esmd(), tracking_id(number))
        wait_until(
            lambda message=message: InboxJob.objects.filter(message_id=message, status="DONE").exists(), timeout_s=60
        )
    worker.send_signal(signal.SIGTERM)
    _, err = worker.communicate(timeout=60)
    assert worker.returncode == 0, err


def test_a_poller_waits_for_a_call_that_is_on_its_way_when_it_should_stop(start_with_many):
    job_for(decision(1))
    with socket.create_server(("127.0.0.1", 0)) as generator:
        generator.settimeout(60)
        url = f"http://127.0.0.1:{generator.getsockname()[1]}"
        poller = start_with_many("run_clinical_ops_poller", JSON_GENERATOR_BASE_URL=url)
        with generator.accept()[0]:
            poller.send_signal(signal.SIGTERM)
            while "Stopping after the batch in hand" not in (line := poller.stderr.readline()):
                assert line, "it ended"
        _, err = poller.communicate(timeout=60)
    assert poller.returncode == 0, err
    assert [one.status for one in InboxJob.objects.all()] == ["FAILED"]
