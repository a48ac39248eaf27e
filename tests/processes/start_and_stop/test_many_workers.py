"""More worker processes than the server has connections, all started at once; WORKERS and MAX_CONNECTIONS change it."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.support.cluster import USER, Server, free_ports
from tests.support.meanwhile import Meanwhile
from tests.support.probe import wait_until
from tests.support.project import PROJECT
from tests.support.rows import esmd
from tests.support.zygote import Zygote, is_alive, send_signal

WORKERS = int(os.environ.get("WORKERS", "40"))
MAX_CONNECTIONS = int(os.environ.get("MAX_CONNECTIONS", "30"))
MESSAGES = int(os.environ.get("MESSAGES", "1000"))
DATABASE = "many"
SEND = """
INSERT INTO integration_send_serviceops (decision_tracking_id, payload)
SELECT gen_random_uuid(), %s FROM generate_series(1, %s)
"""


@pytest.fixture
def server():
    with TemporaryDirectory(prefix="many-") as folder:
        Path(folder).chmod(0o711)
        made = Server(Path(folder) / "server", free_ports(1)[0], max_connections=str(MAX_CONNECTIONS))
        try:
            made.make()
            with made.connect() as raw:
                raw.execute(f"CREATE DATABASE {DATABASE}")
                raw.execute("CREATE ROLE worker LOGIN IN ROLE pg_read_all_stats")
            manage(made, "migrate", "-v", "0")
            with made.connect(DATABASE) as raw:
                raw.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO worker")
                raw.execute("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO worker")
            yield made
        finally:
            made.stop()


def environment(server, user):
    url = f"postgresql://{user}@127.0.0.1:{server.port}/{DATABASE}"
    return {**os.environ, "DEBUG": "on", "DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": url}


def manage(server, *arguments):
    command = [sys.executable, "manage.py", *arguments]
    subprocess.run(command, cwd=PROJECT, env=environment(server, USER), check=True)


class Visitor(Meanwhile):
    """Connects as the web does, again and again."""

    def __init__(self, server):
        super().__init__()
        self.address = {"host": "127.0.0.1", "port": server.port, "dbname": DATABASE, "user": "worker"}
        self.visits = 0
        self.refused = 0

    def run(self):
        while not self.is_over.wait(0.05):
            try:
                psycopg.connect(**self.address, application_name="serviceops-web").close()
                self.visits += 1
            except psycopg.OperationalError:
                self.refused += 1


def test_each_message_is_worked_on_once_the_web_gets_in_and_all_end(server, tmp_path, capsys):
    log = tmp_path / "log"
    zygote = Zygote(environment(server, "worker"), log)
    pids = []
    began = time.monotonic()
    try:
        with server.connect(DATABASE) as raw, Visitor(server) as visitor:
            raw.execute(SEND, [Jsonb(esmd()), MESSAGES])
            command = ("run_inbox_worker", "--skip-checks", "--batch-size", "20")
            pids += [zygote.start(*command, name="serviceops-worker") for _ in range(WORKERS)]

            def is_done():
                done = "SELECT count(*) FROM integration_inbox WHERE status = 'DONE'"
                return raw.execute(done).fetchone() == (MESSAGES,)

            wait_until(is_done, timeout_s=300)
            done_after_s = time.monotonic() - began
            events = "SELECT count(*), count(DISTINCT packet_id) FROM packet_event WHERE what = 'created'"
            assert raw.execute(events).fetchone() == (MESSAGES, MESSAGES)
            assert raw.execute("SELECT max(attempt_count) FROM integration_inbox").fetchone() == (1,)
            [worked] = raw.execute("SELECT count(DISTINCT finished_by) FROM integration_inbox").fetchone()
            alive = [pid for pid in pids if is_alive(pid)]
            began = time.monotonic()
            for pid in alive:
                send_signal(pid, signal.SIGTERM)
            wait_until(lambda: not any(map(is_alive, alive)), timeout_s=120)
            ended_after_s = time.monotonic() - began
            states = raw.execute("SELECT DISTINCT state FROM inbox_worker").fetchall()
    finally:
        for pid in pids:
            send_signal(pid, signal.SIGKILL)
        zygote.end()
    codes = re.findall(r"ended with (\d+)", log.read_text())
    with capsys.disabled():
        print(
            f"\n{WORKERS} workers at once, {MAX_CONNECTIONS} connections: {MESSAGES} messages done after"
            f" {done_after_s:.1f} s by {worked} of them, {len(alive)} alive then, all ended {ended_after_s:.1f} s after"
            f" SIGTERM; exit codes {sorted((code, codes.count(code)) for code in set(codes))};"
            f" web: {visitor.visits} in, {visitor.refused} refused"
        )
    assert states == [("STOPPED",)]
    # 4: no room within 30 s.
    assert set(codes) <= {"0", "4"}
    assert visitor.refused == 0
