"""The server's clock jumps, forth and back, with workers running and not: every row has its job soon, and only once.

Soon is within 15 s on a quiet machine, where it takes some 2 s; a busy one gets more time.
"""

import json
import signal

import pytest

from tests.support.clinical import decision
from tests.support.probe import wait_until
from tests.support.rows import esmd, tracking_id

WORKERS = ("run_inbox_worker", "run_clinical_ops_poller")
SOON_S = 60

SEND = "INSERT INTO integration_send_serviceops (decision_tracking_id, payload) VALUES (%s, %s)"
WRITE = "INSERT INTO service_ops_send_serviceops (decision_tracking_id, clinical_ops_decision_json) VALUES (%s, %s)"
# Sweeps are done, so none of them finds what a jump leaves by chance.
IS_QUIET = """
SELECT count(*) = 0 FROM poll_watermark WHERE next_lookback_at <= now() OR next_reconcile_at <= now()
"""
COUNT_JOBS = """
SELECT (SELECT count(*) FROM integration_send_serviceops), (SELECT count(*) FROM service_ops_send_serviceops),
       (SELECT count(*) FROM integration_inbox WHERE source = 'integration' AND status = 'DONE'),
       (SELECT count(*) FROM integration_inbox WHERE source = 'clinical_decision')
"""


class Neighbours:
    """Integration and ClinicalOps, which send a message each, in one transaction."""

    def __init__(self, server):
        self.server = server
        self.sent = 0

    def begin(self):
        """A transaction that has written, and may commit late."""
        self.sent += 1
        session = self.server.connect()
        session.execute("BEGIN")
        tracking = tracking_id(self.sent)
        session.execute(SEND, [tracking, json.dumps(esmd(tracking))])
        session.execute(WRITE, [tracking, json.dumps(decision())])
        return session

    def commit(self, session):
        session.execute("COMMIT")
        session.close()

    def send(self):
        self.commit(self.begin())


@pytest.fixture(scope="module")
def neighbours(server, processes):
    processes.start(*WORKERS)
    return Neighbours(server)


@pytest.fixture
def raw(server):
    server.shift(0)
    with server.connect() as raw:
        yield raw


def all_have_their_jobs(raw):
    sent, written, done, decisions = raw.execute(COUNT_JOBS).fetchone()
    return (done, decisions) == (sent, written)


def is_quiet(raw):
    return all_have_their_jobs(raw) and raw.execute(IS_QUIET).fetchone()[0]


@pytest.mark.parametrize(
    ("ahead_s", "restart_at"),
    [(-1200, "back"), (-1200, "forth"), (-300, "forth"), (1200, None), (7200, "back")],
)
def test_rows_have_their_jobs_soon_and_once(server, processes, neighbours, raw, ahead_s, restart_at):
    for way, seconds in (("forth", ahead_s), ("back", 0)):
        neighbours.send()
        wait_until(lambda: is_quiet(raw), SOON_S)
        late = neighbours.begin()
        if restart_at == way:
            processes.end()
        server.shift(seconds)
        neighbours.send()
        neighbours.commit(late)
        if restart_at == way:
            processes.start(*WORKERS)
        neighbours.send()
        wait_until(lambda: all_have_their_jobs(raw), SOON_S)
    events = "SELECT max(count) FROM (SELECT count(*) FROM packet_event WHERE what = 'created' GROUP BY packet_id) AS c"
    assert raw.execute(events).fetchone() == (1,)
    assert raw.execute("SELECT max(attempt_count) FROM integration_inbox").fetchone() == (1,)


def test_a_worker_that_dies_while_the_clock_is_behind_is_found_gone(server, processes, neighbours, raw):
    """The server's own start lies ahead of its clock, so it cannot tell that it has just started."""
    server.shift(-1200)
    neighbours.send()
    wait_until(lambda: all_have_their_jobs(raw), SOON_S)
    running = "SELECT array_agg(id) FROM inbox_worker WHERE state = 'RUNNING' AND pid = ANY(%s)"
    wait_until(lambda: len(raw.execute(running, [processes.pids]).fetchone()[0] or ()) == len(WORKERS), SOON_S)
    killed = raw.execute(running, [processes.pids]).fetchone()
    processes.end(signal.SIGKILL)
    processes.start(*WORKERS)
    gone = "SELECT bool_and(state = 'GONE') FROM inbox_worker WHERE id = ANY(%s)"
    wait_until(lambda: raw.execute(gone, killed).fetchone() == (True,), SOON_S)
