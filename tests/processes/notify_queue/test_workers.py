"""While the NOTIFY queue is filling up, workers poll, even if a frozen worker of ours is the cause."""

import signal
from contextlib import suppress
from unittest.mock import patch
from uuid import uuid4

import psycopg

from inbox.db.notify import SHARE
from inbox.models import InboxJob, InboxWorker
from inbox.monitoring.notify_queue import look_at_notify_queue
from inbox.worker.loop import Worker
from inbox.worker.presence import Presence
from inbox.worker.schedule import POLL_LESS_OFTEN
from tests.support.probe import probe_source, wait_until
from tests.support.rows import esmd, send
from tests.support.servers.notify_queue import PAGEFUL, fill, usage

FROZEN = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE '%%-worker' AND wait_event = 'ClientWrite'"


def is_done(message_id):
    return InboxJob.objects.filter(message_id=message_id, source="integration", status="DONE").exists()


def refuses(raw):
    """Notify workers until the server refuses; True if it did. The kernel takes megabytes for a frozen process."""
    with suppress(psycopg.errors.ProgramLimitExceeded):
        while usage(raw) < 1 or not raw.execute(FROZEN).fetchone():
            raw.execute("SELECT pg_notify('inbox', %s)", [PAGEFUL])
    return raw.execute(FROZEN).fetchone() is not None


def test_a_worker_polls_as_if_it_did_not_listen_until_hints_are_sent_again(here, listener, stranger, caplog):
    worker = Worker(
        sources=[probe_source()],
        worker_id="worker A",
        batch_size=10,
        poll_interval_s=60,
        register=lambda **options: Presence("worker A", "test", **options),
    )

    def poll_s():
        worker._has_work()
        return worker.schedule.poll.every_s

    worker.recovery._renew_registration()
    assert worker.registration.is_seen
    assert poll_s() == 60 * POLL_LESS_OFTEN
    fill(stranger, SHARE)
    assert poll_s() == poll_s() == 60
    stranger.execute("SELECT pg_terminate_backend(%s, 20000)", [listener])
    assert poll_s() == poll_s() == 60 * POLL_LESS_OFTEN
    told = [record.msg["event"] for record in caplog.records if record.name == "inbox.worker"]
    assert told[1:] == [
        "the NOTIFY queue is filling up; polling instead",
        "notifications of new work are sent again",
    ]
    worker.registration.end(worker.counts, leaves_jobs=False)


def test_a_frozen_worker_blocks_the_queue_and_nothing_fails(here, stranger, start):
    """As `docker pause` does: nobody reads what its backend sends, until that waits and reads no more itself.

    With notifications of ours, 252,000 were needed over TCP; these are a page each and take a moment.
    """
    # Older than any transaction of the frozen one's, and innocent.
    stranger.execute("BEGIN")
    frozen = start("run_inbox_worker", "--worker-id", "frozen")
    wait_until(lambda: InboxWorker.objects.filter(worker_id="frozen", has_presence=True).exists(), timeout_s=60)
    first = send(esmd(one := uuid4()), one)
    wait_until(lambda: is_done(first), timeout_s=60)
    frozen.send_signal(signal.SIGSTOP)
    wait_until(lambda: refuses(here), timeout_s=60)
    [pid] = here.execute(FROZEN).fetchone()
    message = send(esmd(two := uuid4()), two)
    worker = start("run_inbox_worker", "--poll-interval", "0.1")
    wait_until(lambda: is_done(message), timeout_s=60)
    wait_until(lambda: refuses(here), timeout_s=60)
    [suspect, *_] = look_at_notify_queue().suspects
    assert (suspect.pid, suspect.is_unread, suspect.application) == (pid, True, "serviceops-worker")
    # The server names it at most every 5 s. Until then it shows by what its client does not read.
    with patch("inbox.monitoring.notify_queue._named_by_server", return_value=None):
        assert look_at_notify_queue().suspects[0].pid == pid
    here.execute("SELECT pg_terminate_backend(%s, 20000)", [pid])
    assert usage(here) < SHARE
    frozen.send_signal(signal.SIGCONT)
    # It has a new registration.
    wait_until(lambda: InboxWorker.objects.filter(worker_id="frozen", state="RUNNING").count() == 1)
    for process in (frozen, worker):
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
