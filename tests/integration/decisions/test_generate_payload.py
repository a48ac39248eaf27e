"""The JSON Generator is asked for each payload until it has taken it, once, whatever it does and whoever dies."""

import os
import signal
import socket
import time
from collections import Counter
from contextlib import contextmanager
from threading import Thread
from uuid import uuid4

import httpx
import psycopg
import pytest
from django.db import connection, transaction

from decisions.generator.client import MOST_TEXT, Request, ask
from decisions.generator.job import needs_payload
from decisions.models import ClinicalOpsMessage, PacketDecision
from decisions.pretend.behaviour import Behaviour
from decisions.pretend.generator import Generator
from inbox import registry
from inbox.models import InboxJob, InboxWorker, SourcePause
from inbox.outcomes import Verdict
from inbox.worker.loop import Worker
from inbox.worker.signals import SAME_REQUEST_S
from packets.models import Packet
from tests.integration.worker.test_liveness import wait_for_the_end_of_grace
from tests.support.clinical import write_decision
from tests.support.outbound import statuses
from tests.support.probe import wait_until
from tests.support.rows import job, seconds_ago, tracking_id

pytestmark = pytest.mark.django_db(transaction=True)

REQUEST = Request(tracking_id(1), "payload-1")
POLLER = "run_clinical_ops_poller"


@pytest.fixture
def generator(transactional_db, settings):
    """Starts a pretend generator that the settings lead to."""
    started = []

    def start(*script, **options):
        served = Generator(script=script, **options)
        started.append(served)
        settings.JSON_GENERATOR_BASE_URL = served.url
        return served.__enter__()

    yield start
    for served in started:
        served.__exit__(None, None, None)


@pytest.fixture(autouse=True)
def quick(settings):
    settings.JSON_GENERATOR_CONNECT_TIMEOUT = 5
    settings.JSON_GENERATOR_READ_TIMEOUT = 0.3
    settings.JSON_GENERATOR_TOTAL_TIMEOUT = 0.8
    settings.INBOX_BACKOFF = (0.001,)


def decision(number, **fields):
    """An active version with a clinical answer, of a packet of its own."""
    packet, _ = Packet.objects.get_or_create(decision_tracking_id=tracking_id(number), defaults={"channel_type_id": 3})
    defaults = {"decision_type": "APPROVE", "clinical_decision": "AFFIRM", "correlation_id": uuid4(), "created_by": "t"}
    made = PacketDecision.objects.create(packet=packet, **defaults | fields)
    made.refresh_from_db()
    return made


def superseded(number, **fields):
    """A version that is active no more."""
    old = decision(number, **fields)
    PacketDecision.objects.filter(pk=old.pk).update(is_active=False)
    return old


def job_for(version):
    return job(
        source="json_generator",
        message_type="generate_payload",
        message_id=version.pk,
        decision_tracking_id=version.packet.decision_tracking_id,
    )


def jobs(count):
    """As many cases, each with a job."""
    return [job_for(decision(number)) for number in range(1, count + 1)]


def work(**options):
    """One claim, as the poller does it."""
    source = registry.source("json_generator")
    Worker(sources=[source], worker_id="test", batch_size=200, poll_interval_s=0.05, **options).once()


def fresh(one):
    return InboxJob.objects.get(pk=one.pk)


# What is asked.


def test_the_request_names_the_case_and_the_key_of_the_version(generator):
    served = generator()
    version = decision(7, clinical_decision="NON_AFFIRM")
    asked = job_for(version)
    work()
    assert fresh(asked).status == "DONE"
    assert served.requests == [(f"payload-{version.pk}", {"decision_tracking_id": str(tracking_id(7))})]
    [row] = ClinicalOpsMessage.objects.all()
    assert row.json_sent_to_integration is True
    assert [procedure["decisionIndicator"] for procedure in row.payload["procedures"]] == ["N"]


def test_each_try_carries_the_same_key(generator):
    served = generator(Behaviour.FAIL, Behaviour.DROP, 429)
    [asked] = jobs(1)
    for _ in range(4):
        InboxJob.objects.update(next_attempt_at=seconds_ago(1))
        work()
    assert fresh(asked).status == "DONE"
    assert len({key for key, _ in served.requests}) == 1
    assert served.counts() == {"requests": 4, "accepted": 1, "repeated": 1, "most_at_once": 1}
    assert ClinicalOpsMessage.objects.count() == 1


def test_a_slash_at_the_end_of_the_address_and_a_path_in_it_are_kept_apart(generator, settings):
    served = generator()
    settings.JSON_GENERATOR_BASE_URL = f"{served.url}/elsewhere"
    outcome = ask(REQUEST)
    assert (outcome.verdict, outcome.text.split(":")[0]) == (Verdict.DEAD, "the JSON Generator answered 404")


def test_no_proxy_of_the_environment_is_used(generator, monkeypatch):
    generator()
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert ask(REQUEST).verdict is Verdict.DONE


# What needs no question.


@pytest.mark.parametrize(
    ("fields", "is_needed"),
    [
        ({}, True),
        ({"clinical_decision": "NON_AFFIRM"}, True),
        ({"clinical_decision": "PENDING"}, False),
        ({"esmd_request_status": "SENT"}, False),
        ({"esmd_request_status": "ACKED"}, False),
        ({"esmd_request_status": "FAILED"}, False),
        ({"is_active": False}, False),
    ],
)
def test_a_version_needs_a_payload(fields, is_needed):
    assert needs_payload(decision(1, **fields)) is is_needed


def test_a_version_that_is_gone_is_ignored(generator):
    served = generator()
    asked = job(source="json_generator", message_type="generate_payload", message_id=12345)
    work()
    assert (fresh(asked).status, fresh(asked).note) == ("DONE", "the decision version is gone")
    assert not served.requests


def test_a_later_version_of_the_round_still_needs_the_payload(generator):
    served = generator()
    first = superseded(1)
    decision(1, supersedes=first)
    asked = job_for(first)
    work()
    assert fresh(asked).status == "DONE"
    assert [key for key, _ in served.requests] == [f"payload-{first.pk}"]


@pytest.mark.parametrize(
    ("later", "note"),
    [
        ({"decision_round": 2}, "superseded by decision round 2"),
        ({"esmd_request_status": "SENT"}, "the active decision version needs no payload (AFFIRM, SENT)"),
        ({"clinical_decision": "PENDING"}, "the active decision version needs no payload (PENDING, NOT_SENT)"),
        ({"is_active": False}, "the packet has no active decision"),
    ],
)
def test_what_is_superseded_is_ignored_with_the_reason(generator, later, note):
    served = generator()
    first = superseded(1)
    decision(1, supersedes=first, **later)
    asked = job_for(first)
    work()
    assert (fresh(asked).status, fresh(asked).note) == ("DONE", note)
    assert not served.requests


# What becomes of each answer.


@pytest.mark.parametrize(
    ("behaviour", "status", "kind"),
    [
        (200, "DONE", None),
        (202, "DONE", None),
        (204, "DONE", None),
        (301, "DEAD", "Refused"),
        (304, "DEAD", "Refused"),
        (400, "DEAD", "Refused"),
        (401, "DEAD", "Refused"),
        (404, "DEAD", "Refused"),
        (409, "DEAD", "Refused"),
        (422, "DEAD", "Refused"),
        (408, "FAILED", "Http408"),
        (425, "FAILED", "Http425"),
        (429, "FAILED", "Http429"),
        (500, "FAILED", "Http500"),
        (502, "FAILED", "Http502"),
        (503, "FAILED", "Http503"),
        (Behaviour.ACCEPT, "DONE", None),
        (Behaviour.TWICE, "DONE", None),
        (Behaviour.REJECT, "DEAD", "Refused"),
        (Behaviour.REDIRECT, "DEAD", "Refused"),
        (Behaviour.FLOOD, "DEAD", "Refused"),
        (Behaviour.FAIL, "FAILED", "Http503"),
        (Behaviour.HANG, "FAILED", "Timeout"),
        (Behaviour.LATE, "FAILED", "Timeout"),
        (Behaviour.DRIP, "FAILED", "Timeout"),
        (Behaviour.DRIP_HEAD, "FAILED", "Timeout"),
        (Behaviour.DROP, "FAILED", "ConnectionBroken"),
        (Behaviour.SILENT_DROP, "FAILED", "ConnectionBroken"),
    ],
)
def test_an_answer_decides_about_the_job(generator, behaviour, status, kind):
    generator(behaviour, drip_every_s=0.05)
    [asked] = jobs(1)
    work()
    ended = fresh(asked)
    assert (ended.status, ended.error_kind, ended.attempt_count) == (status, kind, 1)
    assert len(ended.errors) == (kind is not None)
    assert not SourcePause.objects.exists()


@pytest.mark.parametrize("behaviour", [Behaviour.DRIP, Behaviour.DRIP_HEAD])
def test_the_deadline_holds_against_a_server_that_drips(generator, behaviour):
    generator(behaviour, drip_every_s=0.05)
    began = time.monotonic()
    outcome = ask(REQUEST)
    assert 0.7 < time.monotonic() - began < 2
    assert outcome.text == "no whole answer within 0.8 s (JSON_GENERATOR_TOTAL_TIMEOUT)"


def test_silence_ends_earlier(generator, settings):
    settings.JSON_GENERATOR_TOTAL_TIMEOUT = 60
    generator(Behaviour.HANG)
    began = time.monotonic()
    assert ask(REQUEST).text == "nothing came for 0.3 s (JSON_GENERATOR_READ_TIMEOUT)"
    assert time.monotonic() - began < 2


def test_a_reset_is_tried_again(settings):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings.JSON_GENERATOR_BASE_URL = f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.settimeout(10)

        def reset():
            met, _ = listener.accept()
            met.recv(1)
            met.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            met.close()

        thread = Thread(target=reset)
        thread.start()
        outcome = ask(REQUEST)
        thread.join()
    assert (outcome.verdict, outcome.kind) == (Verdict.RETRY, "ConnectionBroken")


def test_no_redirect_is_followed(generator):
    served = generator(Behaviour.REDIRECT)
    outcome = ask(REQUEST)
    assert outcome.text.startswith("the JSON Generator answered 307, a redirect, and none is followed")
    assert len(served.requests) == 1


def test_what_a_refusal_says_is_kept_on_one_line_and_short(generator):
    generator(Behaviour.REJECT, Behaviour.FLOOD)
    outcome = ask(REQUEST)
    assert (outcome.text, outcome.said) == ("the JSON Generator answered 422", '{"error": "no such decision"}')
    flooded = ask(REQUEST)
    assert flooded.text == "the JSON Generator answered 400"
    assert flooded.said.startswith("too much too much")
    assert len(flooded.said) <= MOST_TEXT


@contextmanager
def answering(body, head=b"HTTP/1.1 400 Bad\r\nContent-Length: %d\r\n\r\n"):
    """A server that gives one answer, byte for byte."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def answer():
            met, _ = listener.accept()
            with met:
                met.recv(65536)
                met.sendall((head % len(body) if b"%d" in head else head) + body)

        thread = Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b"", None),
        (b"  \r\n ", None),
        (b"a\r\nb\tc\x00d\x1b[31m", "a b c d [31m"),
        (b"\xff\xfe\xed\xa0\x80", "�����"),
        ("Prüfung ‮".encode(), "Prüfung"),
        (b"x" * 1000, "x" * 499 + "…"),
    ],
)
def test_any_text_of_an_answer_can_be_stored_and_shown(settings, body, kept):
    with answering(body) as settings.JSON_GENERATOR_BASE_URL:
        [asked] = jobs(1)
        work()
    ended = fresh(asked)
    assert (ended.status, ended.last_error) == ("DEAD", "the JSON Generator answered 400")
    assert ended.errors[-1].get("said") == kept


def test_packed_text_is_not_unpacked(settings):
    head = b"HTTP/1.1 400 Bad\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    with answering(b"\x1f\x8b rubbish", head) as settings.JSON_GENERATOR_BASE_URL:
        outcome = ask(REQUEST)
        assert (outcome.text, outcome.said) == ("the JSON Generator answered 400", None)


def test_what_is_no_http_is_tried_again(settings):
    with answering(b"", b"SSH-2.0-rubbish\r\n") as settings.JSON_GENERATOR_BASE_URL:
        assert ask(REQUEST).kind == "ConnectionBroken"


def test_nothing_of_a_case_is_logged(generator, caplog):
    generator(Behaviour.REJECT, Behaviour.FAIL, Behaviour.HANG)
    jobs(3)
    with caplog.at_level("INFO"):
        work(concurrency=1)
    assert str(tracking_id(1)) not in caplog.text
    assert "no such decision" not in caplog.text


# Not there.


@pytest.fixture
def closed_port():
    """A port of loopback that refuses."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_a_refused_connection_pauses_and_costs_no_attempt(settings, closed_port):
    settings.JSON_GENERATOR_BASE_URL = f"http://127.0.0.1:{closed_port}"
    jobs(3)
    work()
    assert set(InboxJob.objects.values_list("status", "attempt_count", "error_kind")) == {("NEW", 0, None)}
    reason = SourcePause.objects.get(source="json_generator").reason
    assert reason == f"no connection to 127.0.0.1:{closed_port}: [Errno 111] Connection refused"


def test_a_host_without_an_address_pauses(settings):
    settings.JSON_GENERATOR_BASE_URL = "http://user:secret@no-such-host.invalid"
    outcome = ask(REQUEST)
    assert outcome.verdict is Verdict.NOT_THERE
    assert outcome.text.startswith("no connection to no-such-host.invalid: [Errno ")
    assert "secret" not in outcome.text


def test_a_host_that_does_not_answer_a_connect_pauses(settings):
    """Its queue of connections is full, so it is as silent as one that is switched off."""
    settings.JSON_GENERATOR_CONNECT_TIMEOUT = 0.3
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        for stranger in (first, second):
            stranger.setblocking(False)
            stranger.connect_ex(address)
        settings.JSON_GENERATOR_BASE_URL = f"http://127.0.0.1:{address[1]}"
        assert ask(REQUEST).verdict is Verdict.NOT_THERE


def test_an_address_that_is_not_set_pauses_with_that_reason(settings, run_command):
    settings.JSON_GENERATOR_BASE_URL = ""
    jobs(2)
    code, out, err = run_command(POLLER, "--drain", JSON_GENERATOR_BASE_URL="")
    assert code == 0, err
    assert "Left: 2 NEW generate_payload jobs: json_generator is paused: JSON_GENERATOR_BASE_URL is not set" in out
    assert SourcePause.objects.get().reason == "JSON_GENERATOR_BASE_URL is not set"
    code, out, err = run_command("inbox_status", "--check")
    assert "json_generator has been paused since" in out or "no run_clinical_ops_poller is running" in out


# Real processes.


@pytest.fixture
def start_poller(start_command):
    """Starts a poller; returns it when it is registered."""

    def start(name, url, *options, **environment):
        poller = start_command(
            POLLER, "--worker-id", name, *options, JSON_GENERATOR_BASE_URL=url, INBOX_BACKOFF="0.1", **environment
        )
        wait_until(lambda: InboxWorker.objects.filter(worker_id=name).exists(), timeout_s=60)
        return poller

    return start


def ends_well(poller):
    poller.send_signal(signal.SIGTERM)
    out, err = poller.communicate(timeout=30)
    assert poller.returncode == 0, err
    return out


def all_are_done():
    return set(statuses()) == {"DONE"}


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
    survivor = start_poller("survivor", served.url, "--concurrency", "3")
    for number in range(3):
        doomed = start_poller(f"doomed {number}", served.url, "--concurrency", "4")
        wait_until(lambda name=f"doomed {number}": InboxJob.objects.filter(locked_by=name).count() >= 4)
        os.kill(doomed.pid, signal.SIGKILL)
        doomed.wait()
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


def test_the_generator_writes_into_the_row_of_the_decision_if_that_is_free(generator):
    decision(1)
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}) as raw:
        raw.execute(
            "INSERT INTO service_ops_send_serviceops (decision_tracking_id, clinical_ops_decision_json)"
            " VALUES (%s, '{}')",
            [tracking_id(1)],
        )
    served = generator(Behaviour.TWICE)
    served.accept("key", str(tracking_id(1)), rows=2)
    rows = ClinicalOpsMessage.objects.order_by("message_id").values_list("json_sent_to_integration", flat=True)
    assert list(rows) == [True, True]


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
