"""Integration writes very many rows in one transaction; BIG_TRANSACTION_ROWS says how many, such as 500000."""

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

from tests.support import pooler
from tests.support.cluster import USER
from tests.support.probe import wait_until
from tests.support.rows import esmd
from tests.support.servers.neighbours import DATABASE, Integration, environment_of, manage, running

ROWS = int(os.environ.get("BIG_TRANSACTION_ROWS", "2000"))
INSERT = """
INSERT INTO integration_send_serviceops (decision_tracking_id, payload)
SELECT gen_random_uuid(), %s FROM generate_series(1, %s)
"""
COUNT_ENDS = """
SELECT (SELECT count(*) FROM integration_inbox WHERE status = 'DONE'), (SELECT count(*) FROM integration_inbox),
       (SELECT count(*) FROM packet), (SELECT count(*) FROM packet_event WHERE what = 'created')
"""


def write(raw):
    raw.execute(INSERT, [json.dumps(esmd()), ROWS])


def each_has_one_job_and_one_packet(server):
    with server.connect(DATABASE) as raw:
        wait_until(lambda: raw.execute(COUNT_ENDS).fetchone()[0] >= ROWS, timeout_s=30 + ROWS / 200)
        assert raw.execute(COUNT_ENDS).fetchone() == (ROWS,) * 4
    assert "nothing wrong" in manage("verify_locks", "--audit", environment=environment_of(server))


def test_a_standby_is_promoted_in_the_middle_of_it(pair):
    """It is lost as a whole, its writer is told so, and writes it again."""
    first, second = pair
    address = Integration(first, second).address | {"autocommit": False}
    with running("run_inbox_worker", "run_inbox_worker", environment=environment_of(first, second)) as workers:
        raw = psycopg.connect(**address)
        write(raw)
        first.kill()
        with pytest.raises(psycopg.OperationalError):
            raw.commit()
        second.promote()
        with psycopg.connect(**address) as raw:
            write(raw)
        each_has_one_job_and_one_packet(second)
        assert all(worker.poll() is None for worker in workers)


def test_it_comes_through_pgbouncer(pair):
    pooler.need()
    first, _ = pair
    server = {"host": "127.0.0.1", "port": first.port, "dbname": DATABASE, "user": USER}
    with TemporaryDirectory(prefix="pgbouncer-") as folder, pooler.Pooler(Path(folder), server) as running_pooler:
        environment = environment_of(first) | {"DATABASE_URL": running_pooler.url}
        with running("run_inbox_worker", "run_inbox_worker", environment=environment) as workers:
            with psycopg.connect(running_pooler.url, prepare_threshold=None) as raw:
                write(raw)
            each_has_one_job_and_one_packet(first)
            assert all(worker.poll() is None for worker in workers)
