"""The demo: the whole system in processes of its own, which end with it."""

import signal
import socket

import psutil
import pytest

from decisions.models import SendIntegration
from tests.support.probe import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_cases_flow_from_intake_to_letter_and_ctrl_c_ends_everything(start_command):
    port = free_port()
    demo = start_command("demo", "--seconds", "100", "--port", str(port))
    wait_until(SendIntegration.objects.exists, timeout_s=60)
    children = psutil.Process(demo.pid).children(recursive=True)
    assert len(children) >= 7
    demo.send_signal(signal.SIGINT)
    out, err = demo.communicate(timeout=30)
    assert demo.returncode == 0, err
    assert f"http://127.0.0.1:{port}/admin/" in out
    assert "password " in out
    assert "letters requested" in out
    assert not [child for child in children if child.is_running()]


def test_a_port_that_is_taken_is_said_and_nothing_is_left_running(run_command):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, out, err = run_command("demo", "--port", str(taken.getsockname()[1]))
    assert code == 1
    assert "can't be used" in err
    assert "--port takes another" in err


def test_it_is_refused_outside_of_development(run_command):
    code, out, err = run_command("demo", DEBUG="off")
    assert (code, "DEBUG is off" in err) == (1, True)
