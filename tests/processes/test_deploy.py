"""Units of deploy/ start, work and stop, and the web answers as it is run there."""

import configparser
import os
import shlex
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import httpx
import psutil
import pytest
from django.db import connection, transaction

from inbox.db.connection_budget import count_connections
from inbox.models import InboxJob, InboxWorker
from tests.support.cluster import free_ports
from tests.support.probe import lock_waiters, wait_until
from tests.support.project import PROJECT
from tests.support.rows import esmd, job, seconds_ago, send, tracking_id

UNITS_FOLDER = PROJECT / "deploy" / "systemd"
UNITS = sorted(UNITS_FOLDER.glob("*.service"))
WEB = ["gunicorn", "-c", "deploy/gunicorn.conf.py", "config.wsgi"]
LONG_AGO = {"locked_at": seconds_ago(86400), "locked_by": "somebody", "attempt_count": 1, "lease_id": uuid4()}

# As the proxy says it that ends HTTPS.
BY_HTTPS = {"X-Forwarded-Proto": "https"}


def read(unit):
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(unit)
    return parser


def words_of(unit):
    return shlex.split(read(unit)["Service"]["ExecStart"])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_has_nothing_to_say_about_a_unit(unit, tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd is not installed")
    for name in UNITS_FOLDER.iterdir():
        # The programs are here, not where a host has them.
        text = name.read_text().replace("/srv/serviceops/.venv/bin", str(Path(sys.executable).parent))
        (tmp_path / name.name).write_text(text)
    words = ["systemd-analyze", "verify", "--recursive-errors=no", tmp_path / unit.name]
    done = subprocess.run(words, capture_output=True, text=True)
    about_ours = [line for line in done.stderr.splitlines() if "serviceops" in line]
    assert (done.returncode, about_ours) == (0, [])


def test_the_timer_has_a_time_that_comes():
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd is not installed")
    when = read(UNITS_FOLDER / "serviceops-prune.timer")["Timer"]["OnCalendar"]
    assert subprocess.run(["systemd-analyze", "calendar", when], capture_output=True).returncode == 0


@pytest.mark.parametrize("unit", ["worker@", "poller@", "reclaimer"])
@pytest.mark.django_db(transaction=True)
def test_what_a_unit_starts_works_until_it_is_told_to_stop(unit, start_command):
    script, *words = words_of(UNITS_FOLDER / f"serviceops-{unit}.service")[1:]
    assert script == "manage.py"
    process = start_command(*words)
    wait_until(lambda: count_connections().by_kind.get(unit.rstrip("@")), timeout_s=60)
    # It handles signals once it has begun to work.
    stuck = job(source="integration", message_type="intake", message_id=-1, status="PROCESSING", **LONG_AGO)
    if unit == "poller@":
        wait_until(lambda: InboxWorker.objects.filter(state="RUNNING").exists(), timeout_s=60)
    else:
        wait_until(lambda: InboxJob.objects.get(pk=stuck.pk).status != "PROCESSING", timeout_s=60)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err


@pytest.mark.django_db(transaction=True)
def test_what_the_timer_starts_comes_to_its_end(run_command):
    code, _, err = run_command(*words_of(UNITS_FOLDER / "serviceops-prune.service")[2:])
    assert code == 0, err


COMPOSE = PROJECT / "deploy" / "compose.yaml"


def test_docker_compose_takes_the_file():
    # The plugin, or the program of before.
    ways = [["docker", "compose"], ["docker-compose"]]
    way = next((way for way in ways if _runs([*way, "version"])), None)
    if way is None:
        pytest.skip("docker compose is not installed")
    environment = os.environ | {"SECRET_KEY": "x", "DB_PASSWORD": "x"}
    done = subprocess.run([*way, "-f", COMPOSE, "config"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _runs(words):
    return shutil.which(words[0]) is not None and subprocess.run(words, capture_output=True).returncode == 0


@pytest.fixture
def start_web(command_environment, tmp_path):
    """Starts what the unit of the web starts, without DEBUG; gives its address and its process."""
    started = []

    def start(**environment):
        [program, *words] = words_of(UNITS_FOLDER / "serviceops-web.service")
        assert [Path(program).name, *words] == WEB
        [port] = free_ports(1)
        environment = command_environment | {
            "DEBUG": "off",
            "SECRET_KEY": "only-for-tests-" * 4,
            "ALLOWED_HOSTS": "127.0.0.1",
            "TRUST_X_FORWARDED_PROTO": "on",
            "STATIC_ROOT": str(tmp_path / "static"),
            "WEB_BIND": f"127.0.0.1:{port}",
            "WEB_WORKERS": "2",
            **environment,
        }
        collect = [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"]
        subprocess.run(collect, cwd=PROJECT, env=environment, check=True)
        with (tmp_path / "log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", *words],
                cwd=PROJECT,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        started.append(process)
        base = f"http://127.0.0.1:{port}"
        wait_until(lambda: _status(f"{base}/admin/login/") == 200, timeout_s=60)
        return base, process

    yield start
    for process in started:
        if process.poll() is None:
            # It ends its own processes, which a kill would leave behind.
            process.send_signal(signal.SIGQUIT)
            process.wait(30)


@pytest.mark.django_db(transaction=True)
def test_the_web_answers_behind_gunicorn_with_its_static_files_and_a_bound_of_sessions(start_web):
    base, process = start_web(DB_WEB_POOL_SIZE="1")
    style = httpx.get(f"{base}/static/admin/css/base.css", headers=BY_HTTPS)
    assert style.status_code == 200
    # As collectstatic compressed it.
    assert style.headers["content-encoding"] == "gzip"
    page = httpx.get(f"{base}/admin/login/", headers=BY_HTTPS)
    assert "Secure" in page.headers["set-cookie"]
    assert _status(f"{base}/admin/login/", headers={}) == 301
    with httpx.Client(cookies={"sessionid": "n" * 32}, headers=BY_HTTPS) as client:
        for _ in range(10):
            client.get(f"{base}/admin/")
    assert 1 <= count_connections().web <= 2
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


@pytest.mark.django_db(transaction=True)
def test_the_log_of_requests_does_not_say_what_was_searched_for(start_web, tmp_path):
    base, _ = start_web()
    headers = BY_HTTPS | {"Referer": f"{base}/admin/?q=NOBODY-FAKE-1"}
    httpx.get(f"{base}/admin/packets/packet/?q=NOBODY-FAKE-2", headers=headers)
    wait_until(lambda: '"GET /admin/packets/packet/"' in (tmp_path / "log").read_text())
    assert "NOBODY" not in (tmp_path / "log").read_text()


@pytest.mark.django_db(transaction=True)
def test_nobody_meets_a_session_that_the_server_has_ended(start_web):
    base, _ = start_web(DB_WEB_POOL_SIZE="2", WEB_WORKERS="1")
    with httpx.Client(cookies={"sessionid": "n" * 32}, headers=BY_HTTPS, timeout=30) as client:

        def asks(_):
            return client.get(f"{base}/admin/").status_code

        with ThreadPoolExecutor(4) as people:
            set(people.map(asks, range(8)))
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND application_name = 'serviceops-web'"
                )
                assert cursor.rowcount >= 1
            assert set(people.map(asks, range(8))) == {302}


@pytest.mark.django_db(transaction=True)
def test_a_request_that_has_begun_is_answered_while_the_web_stops(start_web, command_environment):
    patient = command_environment["DATABASE_URL"]
    patient += ("&" if "?" in patient else "?") + "options=-c%20lock_timeout%3D25s"
    base, process = start_web(DATABASE_URL=patient)
    with ThreadPoolExecutor(1) as people, connection.cursor() as cursor:
        with transaction.atomic():
            cursor.execute("LOCK TABLE auth_user IN ACCESS EXCLUSIVE MODE")
            login = people.submit(_log_in, base)
            wait_until(lambda: any("auth_user" in query for query in lock_waiters()))
            process.send_signal(signal.SIGTERM)
            # The one of its two processes that has nothing to do has gone.
            wait_until(lambda: len(psutil.Process(process.pid).children()) <= 1)
        assert login.result() == 200
    assert process.wait(30) == 0


def _log_in(base):
    """A wrong password: the page asks the database for the user, and answers."""
    with httpx.Client(timeout=60, headers=BY_HTTPS | {"Referer": base.replace("http:", "https:")}) as client:
        page = client.get(f"{base}/admin/login/")
        token = page.text.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
        # Its cookie is for HTTPS only.
        cookie = page.headers["set-cookie"].split(";")[0]
        data = {"username": "nobody", "password": "x", "csrfmiddlewaretoken": token}
        return client.post(f"{base}/admin/login/", data=data, headers={"Cookie": cookie}).status_code


def _status(address, headers=BY_HTTPS):
    try:
        return httpx.get(address, timeout=20, headers=headers).status_code
    except httpx.TransportError:
        return None


@pytest.mark.django_db(transaction=True)
def test_an_old_worker_leaves_alone_what_only_the_new_version_knows(run_command):
    """Two versions at once: jobs of a type, and of a source, that this one does not know."""
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
