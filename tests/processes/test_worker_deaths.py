"""Workers die, freeze and lose their server; every message still takes effect once, and no neighbour pays for it."""

import os
import signal
import subprocess
import sys
import threading
import time
from unittest.mock import patch

import psycopg
import pytest
from django.db import connection, transaction

from config.embedded_postgres.server import DATABASE, PORT, SERVER_OPTIONS, USER, Server
from inbox.db.notify import notify
from inbox.events import Event
from inbox.models import InboxJob, InboxWorker
from inbox.worker.loop import Worker
from inbox.worker.presence import LOCK_CLASS, Presence
from tests.support.hanging.gate import Gate
from tests.support.hanging.handlers import KILLED
from tests.support.log_lines import lines
from tests.support.probe import make_witness_table, probe_source, wait_until, witnesses
from tests.support.project import PROJECT
from tests.support.rows import tracking_id
from tests.support.workers import wait_for_the_end_of_grace

# `CHAOS_ROUNDS=20 pytest tests/processes/test_worker_deaths.py -k 200` kills that many workers and shows the seconds.
ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "0"))
START_S = 60

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]


@pytest.fixture(autouse=True)
def witness_table(transactional_db):
    make_witness_table()


@pytest.fixture
def start_worker(start_command):
    """Starts a worker that also serves the source `test`; returns it when it is registered."""

    def start(name, *options, **environment):
        settings = {"DJANGO_SETTINGS_MODULE": "tests.support.hanging.settings"}
        worker = start_command("run_inbox_worker", "--worker-id", name, *options, **settings | environment)
        wait_until(lambda: InboxWorker.objects.filter(worker_id=name).exists(), timeout_s=START_S)
        return worker

    return start


def jobs(numbers, message_type) -> list[int]:
    """New jobs of the source `test`, each of a case of its own; returns their keys in order."""
    made = InboxJob.objects.bulk_create(
        InboxJob(source="test", message_type=message_type, message_id=number, decision_tracking_id=tracking_id(number))
        for number in numbers
    )
    return [job.pk for job in made]


def held_by(name):
    return InboxJob.objects.filter(status="PROCESSING", locked_by=name).count()


def are_done(keys):
    return InboxJob.objects.filter(pk__in=keys, status="DONE").count() == len(keys)


def ends_well(worker):
    worker.send_signal(signal.SIGTERM)
    out, err = worker.communicate(timeout=30)
    assert worker.returncode == 0, err


def assert_each_took_effect_once_at_its_first_attempt():
    assert witnesses() == sorted(InboxJob.objects.values_list("pk", flat=True))
    states = InboxJob.objects.values_list("status", "attempt_count", "errors", "error_kind")
    assert [state for state in states if state != ("DONE", 1, [], None)] == []


@pytest.mark.timeout(300 + 60 * ROUNDS)
def test_200_jobs_of_a_killed_worker_are_free_within_2_seconds_while_another_one_lives(start_worker, capsys):
    """The survivor polls once in 50 minutes, so only its check of who is alive can find the jobs."""
    wait_for_the_end_of_grace()
    survivor = start_worker("survivor", "--poll-interval", "600")
    took_s = [kill_one_that_holds_200(start_worker, number) for number in range(max(ROUNDS, 1))]
    if ROUNDS:
        with capsys.disabled():
            sys.stdout.write("\nseconds until 200 jobs were free: " + " ".join(f"{seconds:.2f}" for seconds in took_s))
        assert max(took_s) <= 2
    assert set(InboxJob.objects.values_list("finished_by", flat=True)) == {"survivor"}
    assert_each_took_effect_once_at_its_first_attempt()
    ends_well(survivor)


def kill_one_that_holds_200(start_worker, number):
    """Returns the seconds from its death until nothing is in its hands."""
    doomed = f"doomed {number}"
    with Gate() as gate:
        process = start_worker(doomed, "--poll-interval", "0.05", **gate.environment)
        keys = jobs(range(number * 200, number * 200 + 200), "gated")
        gate.wait_for_arrival()
        assert held_by(doomed) == 200
        process.kill()
        process.wait()
    died_at = time.monotonic()
    wait_until(lambda: not held_by(doomed))
    took_s = time.monotonic() - died_at
    # One by one, as they run now, takes some seconds; the next test is about that.
    with transaction.atomic():
        InboxJob.objects.filter(pk__in=keys).update(runs_alone=False)
        notify()
    wait_until(lambda: are_done(keys), timeout_s=START_S)
    return took_s


def test_a_message_that_kills_its_worker_is_dead_in_the_end_and_its_199_neighbours_lose_nothing(start_command):
    wait_for_the_end_of_grace()
    keys = jobs(range(200), "killer")
    killer = InboxJob.objects.filter(pk=keys[99])
    killer.update(decision_tracking_id=None)
    codes = []
    while killer.get().status != "DEAD":
        worker = start_command(
            "run_inbox_worker",
            "--drain",
            DJANGO_SETTINGS_MODULE="tests.support.hanging.settings",
            INBOX_MAX_ATTEMPTS="2",
            INBOX_BACKOFF="0.001",
        )
        worker.communicate(timeout=120)
        codes.append(worker.returncode)
    assert codes.count(KILLED) == 3, "once with all, and alone until the last attempt"
    assert set(codes) == {KILLED, 0}
    dead = killer.get()
    assert (dead.attempt_count, dead.error_kind) == (2, "WorkerLost")
    assert [(entry["attempt"], entry["kind"]) for entry in dead.errors] == [(1, "WorkerLost"), (2, "WorkerLost")]
    neighbours = InboxJob.objects.exclude(pk=dead.pk)
    assert set(neighbours.values_list("status", "attempt_count", "error_kind")) == {("DONE", 1, None)}
    assert witnesses() == [key for key in keys if key != dead.pk]


def freeze(worker):
    worker.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, worker.pid, os.WSTOPPED | os.WNOWAIT)


def test_a_frozen_worker_writes_nothing_of_what_was_taken_from_it_by_age(start_worker):
    """It freezes with one kind of its jobs in hand, and the other not begun; later its presence is lost too."""
    in_hand, not_begun = jobs(range(3), "gated"), jobs(range(3, 6), "probe")
    with Gate() as gate:
        frozen = start_worker("frozen", **gate.environment)
        gate.wait_for_arrival()
        freeze(frozen)
        assert held_by("frozen") == 6
        other = start_worker("other", INBOX_STALE_AFTER="1")
        wait_until(lambda: are_done(not_begun))
        registered = InboxWorker.objects.get(worker_id="frozen")
        assert (registered.state, held_by("frozen")) == ("RUNNING", 3), "what is in hand is locked"
        end_sessions("SELECT pid FROM pg_locks WHERE classid = %s AND objid = %s", LOCK_CLASS, registered.pk)
        frozen.send_signal(signal.SIGCONT)
    wait_until(lambda: are_done(in_hand))
    wait_until(lambda: InboxWorker.objects.filter(worker_id="frozen", state="RUNNING", pk__gt=registered.pk).exists())
    ends_well(frozen)
    ends_well(other)
    assert finished("frozen") == in_hand
    assert finished("other") == not_begun
    assert_each_took_effect_once_at_its_first_attempt()


def finished(name):
    return list(InboxJob.objects.filter(finished_by=name).order_by("pk").values_list("pk", flat=True))


def end_sessions(of, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_terminate_backend(pid, 20000) FROM ({of}) AS sessions", parameters)
        assert set(cursor.fetchall()) == {(True,)}


def test_a_frozen_worker_whose_sessions_the_server_has_ended_writes_nothing_at_all(start_worker):
    """As idle_in_transaction_session_timeout does after 30 s."""
    wait_for_the_end_of_grace()
    keys = [*jobs(range(3), "gated"), *jobs(range(3, 6), "probe")]
    with Gate() as gate:
        frozen = start_worker("frozen", **gate.environment)
        gate.wait_for_arrival()
        freeze(frozen)
        end_sessions(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        other = start_worker("other")
        wait_until(lambda: are_done(keys))
        frozen.send_signal(signal.SIGCONT)
    ends_well(frozen)
    ends_well(other)
    assert finished("other") == keys
    assert_each_took_effect_once_at_its_first_attempt()


@pytest.fixture(scope="module")
def small_server(tmp_path_factory):
    """A server of its own, with room for 12 sessions."""
    server = Server(tmp_path_factory.mktemp("small") / ".postgres")
    start_small(server)
    yield server
    server.stop()


def start_small(server):
    with patch.dict(SERVER_OPTIONS, max_connections="12", shared_buffers="16MB"):
        server.start()


@pytest.fixture
def on_small_server(small_server, transactional_db):
    """The connection of this test leads there; returns the environment in which workers do too."""
    environment = {"DATABASE_URL": small_server.url()}
    connection.close()
    options = {
        name: value for name, value in connection.settings_dict["OPTIONS"].items() if name not in ("host", "port")
    }
    address = {"NAME": DATABASE, "USER": USER, "PASSWORD": "", "HOST": str(small_server.socket_dir)}
    with patch.dict(connection.settings_dict, address, PORT=str(PORT), OPTIONS=options):
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(migrate, cwd=PROJECT, env={**os.environ, "DEBUG": "on", **environment}, check=True)
        InboxJob.objects.all().delete()
        InboxWorker.objects.all().delete()
        make_witness_table()
        yield environment
        connection.close()


def test_a_server_that_crashes_while_two_workers_hold_jobs_costs_no_attempt(
    small_server, on_small_server, start_worker
):
    """Not even of a job that is alone, as one that kills its worker would be."""
    keys = jobs(range(20), "gated")
    InboxJob.objects.filter(pk=keys[0]).update(runs_alone=True)
    with Gate() as gate:
        for name, count in (("has one", 1), ("has the others", 19)):
            start_worker(name, **on_small_server, **gate.environment)
            gate.wait_for_arrival()
            assert held_by(name) == count
        small_server.restart("immediate")
        connection.close()
    wait_until(lambda: are_done(keys), timeout_s=START_S)
    assert_each_took_effect_once_at_its_first_attempt()


def test_the_log_of_an_outage_has_one_line_at_its_begin_and_one_at_its_end(small_server, on_small_server, monkeypatch):
    tries: list[int] = []
    monkeypatch.setattr("inbox.worker.recovery.jittered_pause_s", lambda: tries.append(1) or 0.01)
    busy = Worker(
        sources=[probe_source()],
        worker_id="w",
        batch_size=9,
        poll_interval_s=0.05,
        register=lambda **_: Presence("w", "x"),
    )

    def run():
        busy.run()
        connection.close()

    thread = threading.Thread(target=run)
    with lines() as written:
        thread.start()
        wait_until(lambda: busy.registration.is_seen)
        small_server.stop()
        wait_until(lambda: len(tries) > 9)
        start_small(small_server)
        connection.close()
        keys = jobs(range(3), "probe")
        wait_until(lambda: are_done(keys))
        busy.stop.ask()
        thread.join()
    told = [line for line in written if line["logger"] == "inbox.worker"]
    registered, began, *again = told
    assert began["event"] in (Event.PRESENCE_LOST.value[2], Event.CONNECTION_LOST.value[2])
    assert sorted(line["event"] for line in again) == sorted(
        event.value[2] for event in (Event.REGISTERED, Event.BACK_AGAIN, Event.STOPPED)
    )
    [over] = [line for line in again if line["event"] == Event.BACK_AGAIN.value[2]]
    assert over["count"] >= len(tries)
    assert over["lasted_s"] > 0


def test_a_worker_waits_while_the_server_is_full_and_works_once_there_is_room(
    small_server, on_small_server, start_command
):
    """With room for one session it can look, sees that this one is the web's, and claims nothing."""
    [key] = jobs([1], "probe")
    strangers = fill(small_server)
    refused = refusals(small_server)
    settings = {"DJANGO_SETTINGS_MODULE": "tests.support.hanging.settings"}
    worker = start_command("run_inbox_worker", **settings, **on_small_server)
    wait_until(lambda: refusals(small_server) >= refused + 3, timeout_s=START_S)
    strangers.pop().close()
    looks = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'serviceops-worker'"
    strangers[0].rollback()
    strangers[0].autocommit = True
    wait_until(lambda: strangers[0].execute(looks).fetchone()[0], timeout_s=START_S)
    assert worker.poll() is None
    assert InboxJob.objects.get().status == "NEW"
    for stranger in strangers:
        stranger.close()
    wait_until(lambda: are_done([key]))
    ends_well(worker)


def fill(server):
    """Sessions of strangers, as many as the server takes."""
    strangers = []
    while True:
        try:
            strangers.append(psycopg.connect(server.url()))
        except psycopg.OperationalError as error:
            if "too many clients" in str(error):
                return strangers
            raise


def refusals(server):
    return server.log.read_text().count("too many clients")
