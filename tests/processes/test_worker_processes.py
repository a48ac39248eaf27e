"""The real command in real processes, with real signals."""

import json
import signal
import time

import pytest
from django.db import connection, transaction

from inbox.models import InboxJob, InboxWorker
from inbox.worker.signals import SAME_REQUEST_S
from packets.models import Packet, PacketDocument
from tests.support.cases import utn
from tests.support.probe import lock_waiters, wait_until
from tests.support.rows import document, esmd, seconds_ago, send, tracking_id

pytestmark = pytest.mark.django_db(transaction=True)


def send_many(count):
    """Good messages of as many cases, two documents each."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO integration_send_serviceops (decision_tracking_id, payload)
            SELECT gen_random_uuid(),
                   '{"submission_metadata": {"esmd_transaction_id": "TXN-FAKE"}, "documents": [
                     {"documentUniqueIdentifier": "D1", "fileName": "a.pdf", "mimeType": "application/pdf"},
                     {"documentUniqueIdentifier": "D2", "fileName": "b.pdf", "mimeType": "application/pdf"}]}'
              FROM generate_series(1, %s)
            """,
            [count],
        )


def assert_each_message_is_one_packet(count):
    assert dict(InboxJob.objects.values_list("status").distinct().values_list("status", "source")) == {
        "DONE": "integration"
    }
    assert InboxJob.objects.count() == count
    assert Packet.objects.count() == count
    assert PacketDocument.objects.count() == 2 * count
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM packet_event WHERE what = 'created'")
        assert cursor.fetchone() == (count,)


def done_count():
    return InboxJob.objects.filter(status="DONE").count()


def test_two_workers_drain_5000_messages_each_to_one_packet(start_command):
    send_many(5000)
    workers = [start_command("run_inbox_worker", "--drain") for _ in range(2)]
    for worker in workers:
        out, err = worker.communicate(timeout=60)
        assert worker.returncode == 0, err
    assert_each_message_is_one_packet(5000)


def test_a_worker_killed_in_the_middle_costs_nothing(start_command, run_command):
    send_many(5000)
    workers = [start_command("run_inbox_worker", "--drain", "--batch-size", "50") for _ in range(2)]
    wait_until(lambda: done_count() > 500)
    workers[0].kill()
    workers[0].wait()
    workers[1].communicate(timeout=60)
    assert workers[1].returncode == 0
    InboxJob.objects.filter(status="PROCESSING").update(locked_at=seconds_ago(500))
    assert run_command("reclaim_stuck_jobs")[0] == 0
    code, out, err = run_command("run_inbox_worker", "--drain")
    assert code == 0, err
    assert_each_message_is_one_packet(5000)
    assert set(InboxJob.objects.values_list("attempt_count", flat=True)) == {1}


def test_a_worker_killed_while_it_holds_a_batch_leaves_no_effect_behind(start_command, run_command):
    """The batch in hand waits for a packet that this test has locked; the kill comes while its transaction is open."""
    send(esmd(), tracking_id(1))
    assert run_command("run_inbox_worker", "--drain")[0] == 0
    send_many(50)
    send(esmd(documents=[document(2)]), tracking_id(1))
    with transaction.atomic():
        list(Packet.objects.select_for_update())
        worker = start_command("run_inbox_worker")
        wait_until(lock_waiters)
        worker.kill()
        worker.wait()
    assert Packet.objects.count() == 1
    assert InboxJob.objects.filter(status="PROCESSING", attempt_count=1).count() == 51
    InboxJob.objects.filter(status="PROCESSING").update(locked_at=seconds_ago(500))
    code, out, err = run_command("run_inbox_worker", "--drain")
    assert code == 0, err
    assert Packet.objects.count() == 51
    assert set(InboxJob.objects.values_list("status", "attempt_count")) == {("DONE", 1)}


def test_sigterm_finishes_what_is_in_hand_and_gives_back_the_rest(start_command, run_command):
    """One claim of two message types: intake waits for a lock, the unknown one has not begun."""
    send(esmd(), tracking_id(1))
    assert run_command("run_inbox_worker", "--drain")[0] == 0
    in_hand = send(esmd(documents=[document(2)]), tracking_id(1))
    not_begun = send(esmd(), tracking_id(2), message_type_id=7)
    with transaction.atomic():
        list(Packet.objects.select_for_update())
        worker = start_command("run_inbox_worker")
        wait_until(lock_waiters)
        signal_and_see_it_taken(worker)
        assert worker.poll() is None
    out, err = worker.communicate(timeout=10)
    assert worker.returncode == 0, err
    assert InboxJob.objects.get(message_id=in_hand).status == "DONE"
    given_back = InboxJob.objects.get(message_id=not_begun)
    assert (given_back.status, given_back.attempt_count, given_back.locked_by) == ("NEW", 0, None)
    assert "1 given back" in out


def signal_and_see_it_taken(worker):
    worker.send_signal(signal.SIGTERM)
    while "Stopping after the batch in hand" not in worker.stderr.readline():
        pass


def test_a_second_signal_stops_now_and_gives_back_what_was_in_hand(start_command, run_command):
    send(esmd(), tracking_id(1))
    assert run_command("run_inbox_worker", "--drain")[0] == 0
    in_hand = send(esmd(documents=[document(2)]), tracking_id(1))
    with transaction.atomic():
        list(Packet.objects.select_for_update())
        worker = start_command("run_inbox_worker")
        wait_until(lock_waiters)
        signal_and_see_it_taken(worker)
        time.sleep(SAME_REQUEST_S)  # a second press comes later
        worker.send_signal(signal.SIGTERM)
        out, err = worker.communicate(timeout=10)
    assert worker.returncode == 1
    assert "Stopped immediately" in err
    job = InboxJob.objects.get(message_id=in_hand)
    assert (job.status, job.attempt_count) == ("NEW", 0)


def test_an_idle_worker_ends_at_once_on_sigint_and_signs_off(start_command):
    worker = start_command("run_inbox_worker", "--worker-id", "test worker")
    wait_until(lambda: InboxWorker.objects.filter(worker_id="test worker", state="RUNNING").exists())
    message = send(esmd(), tracking_id(1))
    wait_until(lambda: InboxJob.objects.filter(message_id=message, status="DONE").exists())
    worker.send_signal(signal.SIGINT)
    out, err = worker.communicate(timeout=5)
    assert worker.returncode == 0, err
    signed_off = InboxWorker.objects.get(worker_id="test worker")
    assert (signed_off.state, signed_off.done_count) == ("STOPPED", 1)


def test_a_worker_goes_on_with_a_new_connection_when_its_backend_is_terminated(start_command):
    worker = start_command("run_inbox_worker", "--poll-interval", "0.1")
    wait_until(lambda: InboxWorker.objects.exists())
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    message = send(esmd(), tracking_id(1))
    wait_until(lambda: InboxJob.objects.filter(message_id=message, status="DONE", attempt_count=1).exists())
    assert worker.poll() is None


def test_once_is_one_ingest_and_one_claim(run_command):
    send_many(30)
    code, out, err = run_command("run_inbox_worker", "--once", "--batch-size", "20")
    assert code == 0, err
    assert (InboxJob.objects.count(), done_count()) == (30, 20)


def test_max_jobs_is_a_limit(run_command):
    send_many(30)
    assert run_command("run_inbox_worker", "--max-jobs", "25", "--batch-size", "20")[0] == 0
    assert done_count() == 25


def test_drain_says_what_stays_and_why(run_command):
    send(esmd(), tracking_id(1))
    send(esmd(), tracking_id(2), message_type_id=7)
    utn(3)
    code, out, err = run_command("run_inbox_worker", "--drain")
    assert code == 0
    assert "3 jobs in" in out
    assert "1 done, 1 dead, 1 waiting" in out
    assert "Dead: 1 message_type_id must be one of 1, 2, 3, got 7" in out
    assert "Left: 1 WAITING utn_success job: waiting for something" in out


@pytest.mark.parametrize("option", [["--batch-size", "0"], ["--poll-interval", "nan"], ["--once", "--drain"]])
def test_a_wrong_option_is_a_usage_error(run_command, option):
    code, out, err = run_command("run_inbox_worker", *option)
    assert code == 2
    assert option[0] in err


def test_no_database_at_start_is_exit_code_4(start_command):
    worker = start_command("inbox_status", DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    out, err = worker.communicate(timeout=30)
    assert worker.returncode == 4
    assert "could not reach the database" in err


def test_status_shows_counts_and_reasons(run_command):
    send(esmd(), tracking_id(1))
    send([], tracking_id(2))
    run_command("run_inbox_worker", "--drain")
    code, out, err = run_command("inbox_status", "--json")
    assert code == 0
    status = json.loads(out)
    assert {name: count for name, count in status["jobs"].items() if count} == {"DEAD": 1, "DONE": 1}
    assert status["open"] == []
    assert status["dead"] == [{"reason": "the message must be an object, got a list", "count": 1}]
