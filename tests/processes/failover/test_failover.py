"""The primary is killed and its synchronous standby promoted: nothing acknowledged is lost, workers go on."""

import signal
import time
from itertools import pairwise

from tests.support.probe import wait_until
from tests.support.servers.neighbours import DATABASE, Integration, environment_of, running

COMMANDS = ["run_inbox_worker --batch-size 20"] * 2 + ["run_clinical_ops_poller --batch-size 20"]
WAITS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE 'INSERT INTO integration%'"


def test_nothing_acknowledged_is_lost_and_workers_go_on_by_themselves(pair, capsys):
    first, second = pair
    with running(*COMMANDS, environment=environment_of(first, second)) as workers:
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
