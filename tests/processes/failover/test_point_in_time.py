"""The database is restored to some moment of the past, while Integration and ClinicalOps go on writing."""

import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

from tests.support.clinical import decision
from tests.support.cluster import Server, free_ports, make_folder
from tests.support.probe import wait_until
from tests.support.servers.neighbours import DATABASE, Integration, environment_of, make_database, manage, running

COMMANDS = ["run_inbox_worker --batch-size 20", "run_inbox_worker --batch-size 20", "run_clinical_ops_poller"]
POINT = "the moment"
ANSWER = "INSERT INTO service_ops_send_serviceops (decision_tracking_id, clinical_ops_decision_json) VALUES (%s, %s)"
WORK_LEFT = "SELECT count(*) FROM integration_inbox WHERE status NOT IN ('DONE', 'DEAD') AND source <> 'json_generator'"


@pytest.fixture
def servers():
    """A server with a migrated database, that archives its WAL; the place of its restored copy; and the archive."""
    with TemporaryDirectory(prefix="restore-") as folder:
        # The servers may run as another user, who has to get through.
        Path(folder).chmod(0o711)
        archive = Path(folder) / "archive"
        make_folder(archive)
        archiving = {"archive_mode": "on", "archive_command": f"cp %p {archive}/%f"}
        ports = free_ports(2)
        first, second = Server(Path(folder) / "first", ports[0], **archiving), Server(Path(folder) / "second", ports[1])
        try:
            make_database(first)
            yield first, second, archive
        finally:
            first.stop()
            second.stop()


def answer(address, cases):
    """ClinicalOps affirms these cases."""
    with psycopg.connect(**address) as raw, raw.cursor() as cursor:
        cursor.executemany(ANSWER, [(case, json.dumps(decision("A"))) for case in cases])


def value(raw, sql):
    return raw.execute(sql).fetchone()[0]


def known(raw):
    """The cases of all messages that are there."""
    return {row[0] for row in raw.execute("SELECT decision_tracking_id FROM integration_send_serviceops")}


def archive_to(raw, point):
    """Name this moment, and wait until all WAL up to it is in the archive."""
    segment = value(raw, f"SELECT pg_walfile_name(pg_create_restore_point('{point}'))")
    raw.execute("SELECT pg_switch_wal()")
    wait_until(lambda: (value(raw, "SELECT last_archived_wal FROM pg_stat_archiver") or "") >= segment, timeout_s=60)


def test_what_is_sent_again_is_done_and_nothing_is_done_twice(servers):
    first, second, archive = servers
    with running(*COMMANDS, environment=environment_of(first, second)) as workers:
        with Integration(first, second) as integration:
            with first.connect(DATABASE) as raw:
                wait_until(lambda: value(raw, "SELECT count(*) FROM packet") > 100, timeout_s=60)
                second.back_up(first)
                answer(integration.address, before := list(integration.acknowledged))
                wait_until(
                    lambda: value(raw, "SELECT count(DISTINCT packet_id) FROM packet_decision_message") > 50,
                    timeout_s=60,
                )
                named_at = time.monotonic()
                archive_to(raw, POINT)
                wait_until(lambda: integration.count_since(named_at) > 100, timeout_s=60)
            first.kill()
            second.restore(archive, POINT)
            restored_at = time.monotonic()
            wait_until(lambda: integration.count_since(restored_at) > 100, timeout_s=60)
        with second.connect(DATABASE) as raw:
            assert integration.acknowledged.keys() - known(raw), "the restore has lost some"
            # As docs/howto/restore-after-failover.md says.
            integration.send_again(since=named_at)
            answer(integration.address, before)
            cases = integration.acknowledged.keys()
            wait_until(
                lambda: (
                    value(raw, "SELECT count(*) FROM packet") >= len(cases)
                    and value(raw, WORK_LEFT) == 0
                    and value(raw, "SELECT count(DISTINCT packet_id) FROM packet_decision_message") >= len(before)
                ),
                timeout_s=60,
            )
            assert cases <= {row[0] for row in raw.execute("SELECT decision_tracking_id FROM packet")}
            events = raw.execute("SELECT count(*), count(DISTINCT packet_id) FROM packet_event WHERE what = 'created'")
            assert len(set(events.fetchone())) == 1
        assert all(worker.poll() is None for worker in workers)
    assert "nothing wrong" in manage("verify_locks", "--audit", environment=environment_of(second))
