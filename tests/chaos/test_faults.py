"""A stage can be broken in the ways that faults need, and is whole again after each."""

from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

from tests.chaos.stage import Stage
from tests.support.servers.waiting import wait_until

LARGER_THAN_FREE = "CREATE TABLE large AS SELECT repeat(md5(n::text), 100) FROM generate_series(1, 1000) AS n"


@pytest.fixture(scope="module")
def stage():
    # Not tmp_path: the servers may run as another user, who has to get through.
    with TemporaryDirectory(prefix="stage-") as folder, Stage(Path(folder), has_disks=True) as stage:
        yield stage


def through_network(stage):
    return psycopg.connect(stage.direct_url, autocommit=True)


def test_a_cut_network_breaks_connections_and_refuses_new_ones(stage):
    with through_network(stage) as connection:
        for network in stage.networks:
            network.tell("cut")
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        through_network(stage)
    for network in stage.networks:
        network.tell("flow")
    through_network(stage).close()


def test_a_half_open_network_takes_a_statement_and_tells_nobody_until_it_resets(stage):
    client = psycopg.pq.PGconn.connect(stage.direct_url.encode())
    sessions = "SELECT query FROM pg_stat_activity WHERE pid = %s"
    with stage.connect() as observer:
        for network in stage.networks:
            network.tell("swallow")
        client.send_query(b"SELECT 'a statement'")
        client.flush()
        [(last_query,)] = observer.execute(sessions, [client.backend_pid]).fetchall()
        assert "a statement" not in last_query
        assert not is_broken(client)
        for network in stage.networks:
            network.tell("flow")
        wait_until(lambda: is_broken(client))
        wait_until(lambda: not observer.execute(sessions, [client.backend_pid]).fetchall())


def is_broken(client):
    try:
        client.consume_input()
    except psycopg.OperationalError:
        return True
    return False


def test_a_failover_keeps_what_was_acknowledged_and_makes_a_new_standby(stage):
    with stage.connect() as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    was_primary = stage.primary
    for _ in range(2):
        gone = stage.primary
        stage.fail_over()
        assert stage.primary is not gone
        with through_network(stage) as connection:
            assert connection.execute("SELECT one FROM kept").fetchall() == [(1,)]
            assert connection.execute("SELECT sync_state FROM pg_stat_replication").fetchall() == [("sync",)]
    assert stage.primary is was_primary


def test_a_full_disk_refuses_what_grows_until_it_is_free(stage):
    if not stage.has_disks:
        pytest.skip("needs root, and leave to mount")
    disk = stage.fill_disk()
    with pytest.raises(psycopg.Error), stage.connect() as connection:
        connection.execute(LARGER_THAN_FREE)
    disk.free()
    stage.wait_until_it_answers()
    with stage.connect() as connection:
        connection.execute(LARGER_THAN_FREE)


def test_a_crashed_server_is_there_again(stage):
    with stage.connect() as connection:
        stage.restart()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    stage.connect().close()
