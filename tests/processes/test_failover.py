"""The primary is killed and its synchronous standby promoted: nothing acknowledged is lost, workers go on."""

import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import psycopg
import pytest

from tests.support.cluster import USER, Server, follow_synchronously, free_ports
from tests.support.meanwhile import Meanwhile
from tests.support.probe import wait_until
from tests.support.project import PROJECT
from tests.support.rows import esmd

DATABASE = "failover"
WAITS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE 'INSERT INTO integration%'"


@pytest.fixture
def pair():
    """A primary with a migrated database, and its synchronous standby."""
    with TemporaryDirectory(prefix="failover-") as folder:
        # The servers may run as another user, who has to get through.
        Path(folder).chmod(0o711)
        first, second = (
            Server(Path(folder) / name, port) for name, port in zip(["first", "second"], free_ports(2), strict=True)
        )
        try:
            first.make()
            with first.connect() as raw:
                raw.execute(f"CREATE DATABASE {DATABASE}")
            environment = environment_of(first)
            subprocess.run(
                [sys.executable, "manage.py", "migrate", "-v", "0"], cwd=PROJECT, env=environment, check=True
            )
            second.copy(first)
            follow_synchronously(first)
            yield first, second
        finally:
            first.stop()
            second.stop()


def environment_of(*servers):
    hosts = ",".join(f"127.0.0.1:{server.port}" for server in servers)
    url = f"postgresql://{USER}@{hosts}/{DATABASE}?target_session_attrs=read-write"
    return {**os.environ, "DATABASE_URL": url, "DEBUG": "on", "DJANGO_SETTINGS_MODULE": "config.settings"}


class Integration(Meanwhile):
    """Sends messages, one transaction each, to whichever server takes them; knows which were acknowledged, and when."""

    def __init__(self, *servers):
        super().__init__()
        self.address = {
            "host": ",".join("127.0.0.1" for _ in servers),
            "port": ",".join(str(server.port) for server in servers),
            "user": USER,
            "dbname": DATABASE,
            "target_session_attrs": "read-write",
            "connect_timeout": 2,
            "autocommit": True,
        }
        self.acknowledged = {}

    def count_since(self, moment):
        """How many were acknowledged later than that."""
        return sum(at > moment for at in list(self.acknowledged.values()))

    def run(self):
        while not self.is_over.is_set():
            try:
                with psycopg.connect(**self.address) as raw:
                    while not self.is_over.is_set():
                        tracking_id = uuid4()
                        raw.execute(
                            "INSERT INTO integration_send_serviceops (decision_tracking_id, payload) VALUES (%s, %s)",
                            [tracking_id, json.dumps(esmd())],
                        )
                        self.acknowledged[tracking_id] = time.monotonic()
                        self.is_over.wait(0.005)
            except psycopg.OperationalError:
                self.is_over.wait(0.05)


def test_nothing_acknowledged_is_lost_and_workers_go_on_by_themselves(pair, capsys):
    first, second = pair
    workers = [
        subprocess.Popen(
            [sys.executable, "manage.py", command, "--batch-size", "20"],
            cwd=PROJECT,
            env=environment_of(first, second),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for command in ("run_inbox_worker", "run_inbox_worker", "run_clinical_ops_poller")
    ]
    try:
        with Integration(first, second) as integration:
            with first.connect(DATABASE) as raw:
                done = "SELECT count(*) FROM integration_inbox WHERE status = 'DONE'"
                wait_until(lambda: raw.execute(done).fetchone()[0] > 200, timeout_s=60)
                # A commit that the standby does not get must not be acknowledged: it waits.
                second.part_from_primary()
                parted_at = time.monotonic()
                wait_until(lambda: raw.execute(WAITS).fetchone()[0] or integration.count_since(parted_at) > 50)
            killed_at = time.monotonic()
            first.kill()
            second.promote()
            wait_until(lambda: integration.count_since(killed_at) > 200, timeout_s=60)
        with second.connect(DATABASE) as raw:
            wait_until(
                lambda: (
                    raw.execute("SELECT count(*) FROM packet").fetchone()[0] >= len(integration.acknowledged)
                    and raw.execute("SELECT count(*) FROM integration_inbox WHERE status <> 'DONE'").fetchone()[0] == 0
                ),
                timeout_s=60,
            )
            cases = {row[0] for row in raw.execute("SELECT decision_tracking_id FROM packet")}
            assert set(integration.acknowledged) <= cases
            # Messages that were not acknowledged may have been committed; none has more than one effect.
            events = raw.execute("SELECT count(*), count(DISTINCT packet_id) FROM packet_event WHERE what = 'created'")
            assert events.fetchone() == (len(cases), len(cases))
            gap = raw.execute(
                "SELECT extract(epoch FROM max(gap)) FROM (SELECT finished_at - lag(finished_at) OVER"
                " (ORDER BY finished_at) AS gap FROM integration_inbox WHERE status = 'DONE') AS gaps"
            ).fetchone()[0]
        writes = sorted(integration.acknowledged.values())
        silent_s = max(after - before for before, after in pairwise(writes))
        assert all(worker.poll() is None for worker in workers)
        with capsys.disabled():
            print(f"\nfailover: no INSERT acknowledged for {silent_s:.1f} s, no job done for {gap:.1f} s")
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        assert [worker.wait(30) for worker in workers] == [0, 0, 0]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
