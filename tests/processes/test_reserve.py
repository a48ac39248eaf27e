"""A budget of 100 of which 20 are kept for the web, at its real size, set up as docs/operations.md says.

3 hosts with 30 workers each and one with 30 pollers: as each process wants two connections, each host wants 60.
"""

import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psycopg
import pytest

from tests.support.cluster import USER, Server, free_ports
from tests.support.meanwhile import Meanwhile
from tests.support.probe import wait_until
from tests.support.project import PROJECT
from tests.support.rows import esmd
from tests.support.zygote import Zygote, send_signal

DATABASE = "reserve"
BUDGET, RESERVED = 100, 20
SHARE = BUDGET - RESERVED
SUPERUSERS = 3
HOSTS = ["run_inbox_worker"] * 3 + ["run_clinical_ops_poller"]
PROCESSES_OF_A_HOST = 30
PASSWORD = "only-for-tests"
MESSAGES = 1000
SETTINGS = {
    "DB_CONNECTION_BUDGET": str(BUDGET),
    "DB_CONNECTIONS_RESERVED": str(RESERVED),
    "DEBUG": "on",
    "DJANGO_SETTINGS_MODULE": "tests.settings",
}
SEND = """
INSERT INTO integration_send_serviceops (decision_tracking_id, payload)
SELECT gen_random_uuid(), %s FROM generate_series(1, %s)
"""


@pytest.fixture(scope="module")
def server():
    """It gives ordinary users 100 connections, all workers together 80 of them, and the web's role 20 more."""
    with TemporaryDirectory(prefix="reserve-") as folder:
        Path(folder).chmod(0o711)
        options = {"max_connections": str(BUDGET + RESERVED + SUPERUSERS), "reserved_connections": str(RESERVED)}
        made = Server(Path(folder) / "server", free_ports(1)[0], **options)
        try:
            made.make()
            with made.connect() as raw:
                raw.execute(f"CREATE DATABASE {DATABASE}")
            manage(made, "migrate", "-v", "0")
            staff = "from django.contrib.auth.models import User; User.objects.create_superuser('ada', password='{}')"
            manage(made, "shell", "--no-imports", "-c", staff.format(PASSWORD))
            with made.connect(DATABASE) as raw:
                raw.execute(manage(made, "sql_grants"))
                raw.execute(f"CREATE ROLE worker_1 LOGIN CONNECTION LIMIT {SHARE} IN ROLE serviceops_worker")
                raw.execute("CREATE ROLE web_1 LOGIN IN ROLE serviceops_web")
                raw.execute("CREATE ROLE stranger LOGIN")
            yield made
        finally:
            made.stop()


def environment(server, user=USER):
    return {**os.environ, **SETTINGS, "DATABASE_URL": f"postgresql://{user}@127.0.0.1:{server.port}/{DATABASE}"}


def manage(server, *arguments):
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=PROJECT,
        env=environment(server),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def web(server):
    """As deploy/ runs it: two processes, with a pool of four each."""
    [port] = free_ports(1)
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "config.wsgi"],
        cwd=PROJECT,
        env=environment(server, "web_1") | {"WEB_BIND": f"127.0.0.1:{port}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    base = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: answers(base), timeout_s=60)
        yield base
    finally:
        process.kill()
        process.wait()


def answers(base):
    try:
        return httpx.get(f"{base}/admin/login/", timeout=20).is_success
    except httpx.TransportError:
        return False


def log_in_and_look(base):
    """A person logs in and opens two pages; returns how long each answer took, in seconds."""
    took = []
    with httpx.Client(base_url=base, timeout=30, follow_redirects=True) as client:

        def get(page, **data):
            began = time.perf_counter()
            answer = client.post(page, data=data) if data else client.get(page)
            took.append(time.perf_counter() - began)
            assert answer.status_code == 200, f"{page}: {answer.status_code}"
            return answer.text

        get("/admin/login/")
        token = client.cookies["csrftoken"]
        page = get("/admin/login/?next=/admin/", username="ada", password=PASSWORD, csrfmiddlewaretoken=token)
        assert "Log out" in page
        get("/admin/inbox/inboxjob/")
        get("/admin/packets/packet/")
    return took


class Sampler(Meanwhile):
    """Counts sessions by name again and again, as a superuser, by its own connection."""

    def __init__(self, server):
        super().__init__()
        self.server = server
        self.samples = []

    def run(self):
        with self.server.connect(DATABASE) as raw:
            while not self.is_over.is_set():
                rows = raw.execute(
                    "SELECT application_name, count(*) FROM pg_stat_activity"
                    " WHERE backend_type = 'client backend' AND usename <> %s GROUP BY 1",
                    [USER],
                )
                counts = dict(rows.fetchall())
                web = counts.pop("serviceops-web", 0)
                self.samples.append((sum(counts.values()), web))
                self.is_over.wait(0.02)

    @property
    def most(self):
        """The most sessions of all but the web, and the most of the web."""
        return [max(values) for values in zip(*self.samples, strict=True)] if self.samples else [0, 0]


def test_logins_and_pages_answer_while_four_hosts_want_240_connections(server, web, tmp_path, capsys):
    zygote = Zygote(environment(server, "worker_1"), tmp_path / "log")
    pids, took, is_over = [], [], threading.Event()

    def be_staff():
        while not is_over.is_set():
            took.extend(log_in_and_look(web))

    try:
        with server.connect(DATABASE) as raw, Sampler(server) as sampler, ThreadPoolExecutor(2) as pool:
            staff = [pool.submit(be_staff) for _ in range(2)]
            try:
                for _ in range(PROCESSES_OF_A_HOST):
                    for command in HOSTS:
                        name = "serviceops-poller" if "poller" in command else "serviceops-worker"
                        pids.append(zygote.start(command, "--skip-checks", "--batch-size", "20", name=name))
                done = "SELECT count(*) FROM integration_inbox WHERE status = 'DONE'"
                raw.execute(SEND, [psycopg.types.json.Jsonb(esmd()), MESSAGES])
                wait_until(lambda: raw.execute(done).fetchone()[0] == MESSAGES, timeout_s=120)
                wait_until(lambda: sampler.most[0] >= SHARE * 0.95, timeout_s=60)
                raw.execute(SEND, [psycopg.types.json.Jsonb(esmd()), MESSAGES])
                wait_until(lambda: raw.execute(done).fetchone()[0] == 2 * MESSAGES, timeout_s=120)
            finally:
                is_over.set()
            for one in staff:
                one.result()
            [(registered,)] = raw.execute("SELECT count(*) FROM inbox_worker").fetchall()
    finally:
        for pid in pids:
            send_signal(pid, signal.SIGKILL)
        zygote.end()
    background, of_the_web = sampler.most
    refused = server.log.read_text(errors="replace").count("too many connections for role")
    with capsys.disabled():
        print(
            f"\n{len(pids)} processes that want {2 * len(pids)} connections, {SHARE} of {BUDGET} for them:"
            f" {registered} began to work, {background} sessions at most in {len(sampler.samples)} samples"
            f" ({refused} more refused by the server), the web {of_the_web};"
            f" {len(took)} pages, median {statistics.median(took):.2f} s, longest {max(took):.2f} s"
        )
    assert background <= SHARE


def count_workers(server):
    with server.connect() as raw:
        return raw.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = 'worker_1'").fetchone()[0]


def test_the_web_gets_connections_when_strangers_have_all_that_the_server_gives(server, web):
    address = {"host": "127.0.0.1", "port": server.port, "dbname": DATABASE}
    with ExitStack() as strangers:
        # Those of the test before may still be on their way out.
        wait_until(lambda: count_workers(server) == 0)
        with suppress(psycopg.OperationalError):
            for _ in range(BUDGET + 1):
                strangers.enter_context(psycopg.connect(**address, user="stranger"))
        with pytest.raises(psycopg.OperationalError, match="remaining connection slots are reserved"):
            psycopg.connect(**address, user="worker_1")
        with ThreadPoolExecutor(4) as people:
            for visit in [people.submit(log_in_and_look, web) for _ in range(8)]:
                visit.result()
        psycopg.connect(**address, user="web_1").close()
