"""ClinicalOps under load and deaths: 1,000 decisions, 4 pollers, kill -9, and a generator that fails and hangs."""

import random
import signal
import threading
import time

import pytest
from django.db import connection

from decisions.models import ClinicalOpsMessage, PacketDecision
from decisions.pretend.behaviour import Behaviour
from decisions.pretend.generator import Generator
from inbox.engine.claim import claim
from inbox.engine.ingest import ingest
from inbox.engine.work import work
from inbox.models import InboxJob
from inbox.registry import source
from packets.models import Packet
from tests.support.cases import active, packet
from tests.support.clinical import write_decision
from tests.support.drain import drain_all
from tests.support.probe import wait_until
from tests.support.rows import tracking_id

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]

DECISIONS = 1000
POLLERS = 4
POLLER = "run_clinical_ops_poller"
ENVIRONMENT = {
    "INBOX_BACKOFF": "0.1,0.2,0.4",
    # 30 % of all requests fail: no job may die of bad luck.
    "INBOX_MAX_ATTEMPTS": "30",
    "JSON_GENERATOR_READ_TIMEOUT": "3",
    "JSON_GENERATOR_TOTAL_TIMEOUT": "5",
}


def write_cases(count):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO packet (decision_tracking_id, channel_type_id)"
            " SELECT gen_random_uuid(), 3 FROM generate_series(1, %s)",
            [count],
        )
        cursor.execute(
            "INSERT INTO service_ops_send_serviceops (decision_tracking_id, clinical_ops_decision_json)"
            " SELECT decision_tracking_id, jsonb_build_object('decision_indicator',"
            " CASE WHEN mod(packet_id, 2) = 0 THEN 'A' ELSE 'N' END) FROM packet",
        )


class Sampler(threading.Thread):
    """Looks again and again for transactions and row locks that last as long as only a call that hangs does."""

    # A call that hangs takes 3 s; between two statements of a transaction a poller takes milliseconds, or a little more
    # on a busy machine.
    LONGEST_S = 2.5
    OPEN = """
    SELECT pid, state, query FROM pg_stat_activity
     WHERE datname = current_database() AND backend_type = 'client backend' AND state LIKE 'idle in transaction%%'
       AND state_change < clock_timestamp() - %s * interval '1 second'
    """
    CALLED = "SELECT inbox_id FROM integration_inbox WHERE message_type = 'generate_payload' AND status = 'PROCESSING'"

    def __init__(self):
        super().__init__(daemon=True)
        self.stop = threading.Event()
        self.samples = 0
        self.called_for_long = 0
        self.found = []

    def run(self):
        locked_since = {}
        called_since = {}
        try:
            while not self.stop.wait(0.05):
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_stat_clear_snapshot()")
                    cursor.execute(self.OPEN, [self.LONGEST_S])
                    self.found += cursor.fetchall()
                    # In this order: what is finished in between is not called any more, and so not locked.
                    cursor.execute(f"{self.CALLED} FOR SHARE SKIP LOCKED")
                    free = {pk for (pk,) in cursor.fetchall()}
                    cursor.execute(self.CALLED)
                    called = {pk for (pk,) in cursor.fetchall()}
                now = time.monotonic()
                locked_since = {pk: locked_since.get(pk, now) for pk in called - free}
                called_since = {pk: called_since.get(pk, now) for pk in called}
                self.found += [("locked", pk) for pk, since in locked_since.items() if now - since > self.LONGEST_S]
                self.called_for_long += sum(now - since > self.LONGEST_S for since in called_since.values())
                self.samples += 1
        finally:
            connection.close()


def test_1000_decisions_4_pollers_kills_and_a_bad_generator(start_command, capsys):
    write_cases(DECISIONS)
    chance = random.Random(20310203)
    bad = [Behaviour.FAIL, Behaviour.HANG, Behaviour.DROP, Behaviour.ACCEPT]
    choose = lambda: chance.choices(bad, [28, 2, 2, 68])[0]  # noqa: E731
    kills = 0
    sampler = Sampler()
    began = time.monotonic()
    with Generator(otherwise=choose) as generator:
        environment = ENVIRONMENT | {"JSON_GENERATOR_BASE_URL": generator.url}
        pollers = [start_command(POLLER, **environment) for _ in range(POLLERS)]
        sampler.start()
        killed_at = 0
        while not ended():
            taken = generator.counts()["accepted"]
            # By progress and not by the clock: the same on a slow machine.
            if taken - killed_at >= 100 and kills < 8:
                killed_at, kills = taken, kills + 1
                victim = chance.randrange(POLLERS)
                pollers[victim].kill()
                pollers[victim].communicate()
                pollers[victim] = start_command(POLLER, **environment)
            time.sleep(0.05)
        counts = generator.counts()
        generator.release()
        for poller in pollers:
            poller.send_signal(signal.SIGTERM)
        assert [poller.wait(20) for poller in pollers] == [0] * POLLERS
    took_s = time.monotonic() - began
    sampler.stop.set()
    sampler.join()
    with capsys.disabled():
        print(f"\n{DECISIONS} decisions in {took_s:.0f} s, {kills} kills, {counts}, {sampler.samples} samples")
    assert counts["accepted"] == DECISIONS
    assert sampler.called_for_long > 0
    assert sampler.found == []
    assert set(InboxJob.objects.values_list("source", "status").distinct()) == {
        ("clinical_decision", "DONE"),
        ("generated_payload", "DONE"),
        ("json_generator", "DONE"),
    }
    versions = PacketDecision.objects.all()
    # One with the answer, one with the payload: each was applied once.
    assert versions.count() == 2 * DECISIONS
    assert versions.filter(is_active=True, esmd_request_status="SENT").count() == DECISIONS
    assert not ClinicalOpsMessage.objects.filter(
        clinical_ops_decision_json__isnull=False, clinical_decision_applied_at__isnull=True
    ).exists()
    assert set(Packet.objects.values_list("detailed_status", flat=True)) == {"Pending - UTN"}


def ended():
    """Every case waits for its UTN, and nothing is open."""
    waiting = Packet.objects.exclude(detailed_status="Pending - UTN")
    return not waiting.exists() and not InboxJob.objects.exclude(status__in=["DONE", "DEAD"]).exists()


def test_rows_1_to_6_of_which_another_poller_took_the_second_and_died():
    """A watermark would have walked past row 2; a batch lock would have ended with the first COMMIT."""
    for number in range(1, 7):
        packet(number)
    clinical = source("clinical_decision")
    [first, second, third] = [write_decision(number) for number in (1, 2, 3)]
    ingest(clinical)
    taken = claim(clinical, worker_id="dies", limit=3)
    assert len(taken) == 3
    # It gives back its batch except for the second row, and dies with that.
    from inbox.engine.give_back import give_back

    keep = InboxJob.objects.get(source="clinical_decision", message_id=second).pk
    give_back(taken.lease_id, [pk for pks in taken.inbox_ids.values() for pk in pks if pk != keep])
    for number in (4, 5, 6):
        write_decision(number)
    drain_all()
    assert [active(Packet.objects.get(decision_tracking_id=tracking_id(n))) is not None for n in range(1, 7)] == [
        True, False, True, True, True, True
    ]  # fmt: skip
    InboxJob.objects.filter(pk=keep).update(locked_at="2026-01-01T00:00:00Z")
    from inbox.engine.reclaim import reclaim_all_stale

    assert reclaim_all_stale(stale_after_s=120, max_attempts=5, batch_size=10).given_back == 1
    while claimed := claim(clinical, worker_id="other", limit=10):
        work(claimed)
    applied = ClinicalOpsMessage.objects.filter(clinical_decision_applied_at__isnull=False)
    assert applied.count() == 6
    assert {first, second, third} <= set(applied.values_list("pk", flat=True))


def test_a_poller_drains_with_real_processes_what_two_of_them_share(start_command):
    write_cases(50)
    with Generator() as generator:
        pollers = [start_command(POLLER, "--drain", JSON_GENERATOR_BASE_URL=generator.url) for _ in range(2)]
        for poller in pollers:
            out, err = poller.communicate(timeout=60)
            assert poller.returncode == 0, err
        drain_all()
        wait_until(lambda: PacketDecision.objects.filter(is_active=True, esmd_request_status="SENT").count() == 50)
        assert generator.counts()["accepted"] == 50
