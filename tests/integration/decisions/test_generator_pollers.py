"""Real pollers ask the JSON Generator for each payload until it has taken it, once, whoever dies."""

import os
import signal
import time
from collections import Counter

import httpx
import pytest
from django.db import connection, transaction

from decisions.models import ClinicalOpsMessage, PacketDecision
from decisions.pretend.behaviour import Behaviour
from decisions.pretend.generator import Generator
from inbox.models import InboxJob, InboxWorker, SourcePause
from inbox.worker.signals import SAME_REQUEST_S
from packets.models import Packet
from tests.support.clinical import write_decision
from tests.support.generator import POLLER, all_are_done, ends_well, jobs
from tests.support.outbound import statuses
from tests.support.probe import wait_until
from tests.support.rows import tracking_id
from tests.support.workers import wait_for_the_end_of_grace

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick_generator")]


def test_two_pollers_ask_for_each_payload_once(generator, start_poller):
    served = generator()
    jobs(200)
    pollers = [start_poller(name, served.url, "--concurrency", "4") for name in "ab"]
    wait_until(all_are_done, timeout_s=60)
    for poller in pollers:
        ends_well(poller)
    counts = served.counts()
    assert counts.pop("most_at_once") <= 8
    assert counts == {"requests": 200, "accepted": 200, "repeated": 0}
    assert ClinicalOpsMessage.objects.count() == 200


def test_a_hanging_server_finds_no_transaction_open_and_no_row_locked(generator, start_poller):
    served = generator(otherwise=lambda: Behaviour.HANG)
    jobs(6)
    poller = start_poller("hanging", served.url)
    served.wait_for_requests(6)
    oldest_s = 0.0
    for _ in range(200):
        oldest_s = max(oldest_s, oldest_transaction_s())
        with transaction.atomic():
            assert len(InboxJob.objects.select_for_update(nowait=True)) == 6
            assert len(PacketDecision.objects.select_for_update(nowait=True)) == 6
    assert oldest_s < 0.5
    served.release()
    poller.kill()


def oldest_transaction_s():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float8 FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        return cursor.fetchone()[0]


def test_pollers_killed_during_their_calls_cost_nothing(generator, start_poller):
    wait_for_the_end_of_grace()
    served = generator(otherwise=lambda: Behaviour.LATE, late_s=0.3)
    jobs(60)
    for number in range(3):
        doomed = start_poller(f"doomed {number}", served.url, "--concurrency", "4")
        wait_until(lambda name=f"doomed {number}": InboxJob.objects.filter(locked_by=name).count() >= 4)
        os.kill(doomed.pid, signal.SIGKILL)
        doomed.wait()
    # Last, as it could be done with everything before the others have begun.
    survivor = start_poller("survivor", served.url, "--concurrency", "3")
    wait_until(all_are_done, timeout_s=120)
    ends_well(survivor)
    assert served.counts()["accepted"] == 60
    assert ClinicalOpsMessage.objects.count() == 60
    per_case = Counter(ClinicalOpsMessage.objects.values_list("decision_tracking_id", flat=True))
    assert set(per_case.values()) == {1}


def test_a_generator_that_is_down_longer_than_all_tries_is_asked_when_it_is_up(start_poller, closed_port):
    """One failed attempt would be the last one; it is down for several tries of the source."""
    jobs(20)
    pollers = [start_poller(name, f"http://127.0.0.1:{closed_port}", INBOX_MAX_ATTEMPTS="1") for name in "ab"]
    wait_until(lambda: SourcePause.objects.filter(tries__gte=2).exists(), timeout_s=60)
    assert set(InboxJob.objects.values_list("status", "attempt_count")) <= {("NEW", 0), ("PROCESSING", 1)}
    with Generator(port=closed_port) as served:
        wait_until(all_are_done, timeout_s=60)
        for poller in pollers:
            ends_well(poller)
        assert served.counts()["accepted"] == 20
    assert set(InboxJob.objects.values_list("attempt_count", flat=True)) == {1}
    assert not SourcePause.objects.exists()


def test_a_first_signal_waits_for_running_calls_and_a_second_does_not(generator, start_poller):
    served = generator(otherwise=lambda: Behaviour.HANG)
    jobs(8)
    poller = start_poller("stopping", served.url, "--concurrency", "3")
    served.wait_for_requests(3)
    poller.send_signal(signal.SIGTERM)
    wait_until(lambda: statuses() == {"PROCESSING": 3, "NEW": 5})
    assert poller.poll() is None
    time.sleep(SAME_REQUEST_S)  # a second press comes later
    began = time.monotonic()
    poller.send_signal(signal.SIGTERM)
    out, err = poller.communicate(timeout=20)
    assert time.monotonic() - began < 5
    assert poller.returncode == 1
    assert "Stopped immediately" in err
    assert set(InboxJob.objects.values_list("status", "attempt_count")) == {("NEW", 0)}
    assert InboxWorker.objects.get(worker_id="stopping").state == "STOPPED"


def test_the_pretend_generator_is_a_command(start_command, run_command):
    jobs(20)
    options = ["--port", "0", "--fail", "20", "--drop", "20", "--twice", "20", "--random-seed", "1"]
    pretend = start_command("pretend_generator", *options)
    name, _, url = pretend.stdout.readline().strip().partition("=")
    assert name == "JSON_GENERATOR_BASE_URL"
    environment = {"JSON_GENERATOR_BASE_URL": url, "INBOX_BACKOFF": "0.01", "INBOX_MAX_ATTEMPTS": "100"}
    while not all_are_done():
        code, out, err = run_command(POLLER, "--drain", **environment)
        assert code == 0, err
    counts = httpx.get(f"{url}/counts", trust_env=False).json()
    assert counts["accepted"] == 20
    assert counts["requests"] > 20
    assert ClinicalOpsMessage.objects.count() > 20
    pretend.send_signal(signal.SIGTERM)
    assert pretend.wait(10) == 0


def test_concurrency_is_a_whole_number_above_0(run_command):
    code, out, err = run_command(POLLER, "--concurrency", "0")
    assert code == 2
    assert "--concurrency" in err


def test_an_answer_of_clinical_ops_ends_as_a_case_that_waits_for_its_utn(generator, start_poller):
    """The whole way, by two processes: decision, request, payload, one each."""
    served = generator(otherwise=lambda: Behaviour.TWICE)
    for number in range(1, 41):
        Packet.objects.create(decision_tracking_id=tracking_id(number), channel_type_id=3)
        write_decision(number, "AN"[number % 2])
    pollers = [start_poller(name, served.url) for name in "ab"]
    wait_until(lambda: Packet.objects.filter(detailed_status="Pending - UTN").count() == 40, timeout_s=60)
    wait_until(all_are_done)
    for poller in pollers:
        ends_well(poller)
    assert served.counts()["accepted"] == served.counts()["requests"] == 40
    active = PacketDecision.objects.filter(is_active=True).values_list("esmd_request_status", "decision_round")
    assert list(active) == [("SENT", 1)] * 40
