"""What deploy/ starts: the commands exist, and the web answers as it is run there."""

import configparser
import shlex
import signal
import socket
import subprocess
import sys

import httpx
import pytest
from django.core.management import get_commands, load_command_class

from inbox.budget import count_connections
from inbox.models import InboxJob
from tests.conftest import PROJECT
from tests.probe import wait_until
from tests.rows import esmd, job, send, tracking_id

UNITS = sorted((PROJECT / "deploy" / "systemd").glob("*.service"))

# As the proxy says it that ends HTTPS.
BY_HTTPS = {"X-Forwarded-Proto": "https"}


def read(unit):
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(unit)
    return parser


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_the_command_of_each_unit_exists_and_takes_its_options(unit):
    program, *words = shlex.split(read(unit)["Service"]["ExecStart"])
    if program.endswith("gunicorn"):
        assert (PROJECT / words[words.index("-c") + 1]).exists()
        return
    script, name, *options = words
    assert script == "manage.py"
    command = load_command_class(get_commands()[name], name)
    command.create_parser("manage.py", name).parse_args(options)


def test_a_poller_may_take_as_long_to_stop_as_a_request_takes():
    unit = read(PROJECT / "deploy" / "systemd" / "serviceops-poller@.service")
    assert int(unit["Service"]["TimeoutStopSec"]) > 240


@pytest.mark.django_db(transaction=True)
def test_the_web_answers_behind_gunicorn_with_its_static_files_and_a_bound_of_sessions(command_environment, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = command_environment | {
        "DEBUG": "off",
        "SECRET_KEY": "only-for-tests-" * 4,
        "ALLOWED_HOSTS": "127.0.0.1",
        "TRUST_X_FORWARDED_PROTO": "on",
        "STATIC_ROOT": str(tmp_path / "static"),
        "WEB_BIND": f"127.0.0.1:{port}",
        "WEB_WORKERS": "2",
        "DB_WEB_POOL_SIZE": "1",
    }
    collect = [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"]
    subprocess.run(collect, cwd=PROJECT, env=environment, check=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "config.wsgi"],
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    base = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: _status(f"{base}/admin/login/") == 200, timeout_s=30)
        assert httpx.get(f"{base}/static/admin/css/base.css", headers=BY_HTTPS).status_code == 200
        page = httpx.get(f"{base}/admin/login/", headers=BY_HTTPS)
        assert "Secure" in page.headers["set-cookie"]
        assert _status(f"{base}/admin/login/", headers={}) == 301
        with httpx.Client(cookies={"sessionid": "n" * 32}, headers=BY_HTTPS) as client:
            for _ in range(10):
                client.get(f"{base}/admin/")
        assert 1 <= count_connections().web <= 2
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _status(address, headers=BY_HTTPS):
    try:
        return httpx.get(address, timeout=20, headers=headers).status_code
    except httpx.TransportError:
        return None


@pytest.mark.django_db(transaction=True)
def test_an_old_worker_leaves_alone_what_only_the_new_version_knows(run_command):
    """Two versions at once: jobs of a type, and of a source, that this one has never heard of."""
    unknown = [
        job(source="integration", message_type="of the next version", message_id=-1),
        job(source="of the next version", message_type="intake"),
    ]
    send(esmd(), tracking_id(1))
    code, out, err = run_command("run_inbox_worker", "--drain")
    assert code == 0, err
    assert "1 done" in out
    assert run_command("run_clinical_ops_poller", "--drain")[0] == 0
    for made in unknown:
        before = InboxJob.objects.filter(pk=made.pk).values()[0]
        assert (before["status"], before["attempt_count"], before["locked_by"]) == ("NEW", 0, None)
    assert "NO HANDLER HERE" in run_command("inbox_status")[1]
