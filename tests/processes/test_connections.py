"""All processes together keep to their budget of connections, and the web keeps its share."""

import contextlib
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from uuid import uuid4

import httpx
import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from inbox.db import connection_budget as budget
from inbox.db.connection_budget import NoRoom, count_connections, wait_for_room
from inbox.models import InboxJob, InboxWorker
from inbox.outcomes import done
from inbox.worker.loop import Worker
from inbox.worker.presence import Presence
from tests.support.meanwhile import Meanwhile
from tests.support.probe import probe_source, wait_until
from tests.support.rows import esmd, job, send, tracking_id

pytestmark = pytest.mark.django_db(transaction=True)


@contextlib.contextmanager
def sessions(count, name="serviceops-worker"):
    """So many sessions of other processes; yields what closes one of them."""
    settings = connection.get_connection_params()
    wanted = {key: settings[key] for key in ("dbname", "user", "password", "host", "port") if settings.get(key)}
    opened = [psycopg.connect(**wanted, application_name=name, autocommit=True) for _ in range(count)]
    try:
        yield lambda: opened.pop().close()
    finally:
        for raw in opened:
            raw.close()


def test_sessions_are_counted_by_the_kind_of_process_and_strangers_by_the_server():
    before = count_connections()
    with sessions(3), sessions(2, "serviceops-web"), sessions(1, "psql"), sessions(1, "serviceopsy"):
        found = count_connections()
    assert found.by_kind["worker"] == before.by_kind.get("worker", 0) + 3
    assert found.web == before.web + 2
    assert found.background == before.background + 3
    assert found.sessions >= before.sessions + 7
    assert found.rank <= found.background


def test_the_budget_is_never_more_than_the_server_gives(settings):
    settings.DB_CONNECTION_BUDGET = 100_000
    found = count_connections()
    with connection.cursor() as cursor:
        cursor.execute("SHOW max_connections")
        [most] = cursor.fetchone()
    assert found.budget == found.usable < int(most)


def test_where_only_the_reserve_is_left_nothing_starts_and_it_says_why(settings, monkeypatch):
    settings.DB_CONNECTION_BUDGET, settings.DB_CONNECTIONS_RESERVED = 8, 4
    monkeypatch.setattr(budget, "PAUSE_S", (0.01, 0.02))
    with sessions(4):
        # A session of this process that is younger than theirs, as it is with whoever starts.
        connection.close()
        with pytest.raises(NoRoom, match="of 4 not reserved for the web are in use"):
            wait_for_room(0.1)
        monkeypatch.setattr("inbox.management.commands.reclaim_stuck_jobs.Command.database_wait_s", 0.1)
        with pytest.raises(CommandError, match="no database connection was free") as refused:
            call_command("reclaim_stuck_jobs")
        assert refused.value.returncode == 4
        # An operator's tools always work.
        call_command("inbox_status")
    wait_for_room(0.1)


def test_a_worker_that_waits_for_room_starts_when_there_is_some(start_command):
    send(esmd(), tracking_id(1))
    with sessions(8) as close_one:
        few = {"DB_CONNECTION_BUDGET": "10", "DB_CONNECTIONS_RESERVED": "4"}
        worker = start_command("run_inbox_worker", **few)
        for _ in range(2):
            # It has come to look, and has left again.
            wait_until(lambda: count_connections().by_kind["worker"] > 8)
            wait_until(lambda: count_connections().by_kind["worker"] == 8)
        assert worker.poll() is None
        assert not InboxWorker.objects.exists()
        for _ in range(6):
            close_one()
        wait_until(lambda: InboxJob.objects.filter(status="DONE").exists())


def test_a_worker_makes_do_with_one_connection_and_small_batches_while_they_are_scarce(settings, caplog):
    settings.DB_CONNECTION_BUDGET, settings.DB_CONNECTIONS_RESERVED = 2, 1
    for _ in range(30):
        job()
    sizes = []

    def note_size(jobs):
        sizes.append(len(jobs))
        return [done() for _ in jobs]

    worker = Worker(
        sources=[probe_source(note_size)],
        worker_id="worker A",
        batch_size=100,
        poll_interval_s=0.01,
        register=partial(Presence, "worker A", "test"),
    )
    worker.registration.counting.every_s = 0
    worker.once()
    assert sizes == [10]
    [row] = InboxWorker.objects.all()
    assert (row.has_presence, row.state) == (False, "STOPPED")
    assert "database connections for workers and commands are in use" in caplog.text


def test_it_takes_the_second_connection_when_there_are_enough_again(settings):
    settings.DB_CONNECTION_BUDGET, settings.DB_CONNECTIONS_RESERVED = 2, 1
    worker = Worker(
        sources=[probe_source()],
        worker_id="worker A",
        batch_size=100,
        poll_interval_s=0.01,
        register=partial(Presence, "worker A", "test"),
    )
    worker.registration.counting.every_s = 0
    worker.recovery.attempt(worker.tick)
    assert worker.registration.presence.is_makeshift
    settings.DB_CONNECTION_BUDGET = 200
    worker.recovery.attempt(worker.tick)
    assert worker.registration.presence.is_seen
    assert sorted(InboxWorker.objects.values_list("has_presence", "state")) == [(False, "STOPPED"), (True, "RUNNING")]
    worker.registration.end(worker.counts, leaves_jobs=False)


def test_status_shows_them(capsys, settings):
    settings.DB_CONNECTION_BUDGET, settings.DB_CONNECTIONS_RESERVED = 3, 2
    call_command("inbox_status", "--json")
    found = json.loads(capsys.readouterr().out)["connections"]
    assert (found["share"], found["reserved"], found["level"]) == (1, 2, "FULL")
    assert found["by_kind"]["command"] >= 1
    call_command("inbox_status")
    out = capsys.readouterr().out
    assert "of the web, which has 2 reserved" in out
    assert "WARNING: " in out


@pytest.fixture
def web(start_command):
    """A web process with a pool of two; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start_command("runserver", "--noreload", "--skip-checks", f"127.0.0.1:{port}", DB_WEB_POOL_SIZE="2")
    address = f"http://127.0.0.1:{port}/admin/login/"
    wait_until(lambda: _answers(address), timeout_s=30)
    return address


def _answers(address):
    try:
        return httpx.get(address, timeout=20).status_code == 200
    except httpx.TransportError:
        return False


def post_login(address):
    """A wrong password, of somebody else each time: the page asks the database for the user."""
    with httpx.Client(timeout=30) as client:
        client.get(address)
        data = {"username": f"nobody {uuid4()}", "password": "x", "csrfmiddlewaretoken": client.cookies["csrftoken"]}
        return client.post(address, data=data).status_code


class Sampler(Meanwhile):
    """Counts again and again, in a thread with a connection of its own."""

    def __init__(self):
        super().__init__()
        self.samples = []

    def run(self):
        while not self.is_over.is_set():
            self.samples.append(count_connections())
            self.is_over.wait(0.005)
        connection.close()


def test_the_web_keeps_to_its_pool_however_many_ask(web):
    with Sampler() as sampler, ThreadPoolExecutor(8) as pool:
        assert set(pool.map(post_login, [web] * 24)) == {200}
    assert 1 <= max(found.web for found in sampler.samples) <= 2


def test_logins_answer_and_workers_go_on_while_all_others_want_more_than_there_is(web, start_command, settings):
    """37 sessions of other workers, and 3 workers and a poller that want two each, with room for 45."""
    settings.DB_CONNECTION_BUDGET, settings.DB_CONNECTIONS_RESERVED = 55, 10
    limits = {"DB_CONNECTION_BUDGET": "55", "DB_CONNECTIONS_RESERVED": "10"}
    for number in range(200):
        send(esmd(), tracking_id(number))
    # Two of the sessions counted here are the test's own.
    with sessions(37), Sampler() as sampler:
        for _ in range(3):
            start_command("run_inbox_worker", "--batch-size", "20", **limits)
        start_command("run_clinical_ops_poller", **limits)
        with ThreadPoolExecutor(2) as pool:
            logins = pool.map(post_login, [web] * 20)
            wait_until(lambda: InboxJob.objects.filter(status="DONE").count() == 200, timeout_s=60)
            assert set(logins) == {200}
    assert max(found.background for found in sampler.samples) <= 45
    assert max(found.background for found in sampler.samples) >= 42


def test_a_worker_that_finds_no_slot_at_the_server_goes_on_as_soon_as_there_is_one(start_command):
    worker = start_command("run_inbox_worker")
    said = []
    reader = threading.Thread(target=lambda: said.extend(iter(worker.stderr.readline, "")))
    reader.start()
    send(esmd(), tracking_id(1))
    wait_until(lambda: InboxJob.objects.filter(status="DONE").count() == 1)
    with contextlib.ExitStack() as strangers:
        with connection.cursor() as cursor, contextlib.suppress(psycopg.OperationalError):
            while True:
                strangers.enter_context(sessions(1, "a stranger"))
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND application_name = 'serviceops-worker'"
                )
        waiting = send(esmd(), tracking_id(2))
        wait_until(lambda: any("too many clients" in line or "slots" in line for line in said))
        assert InboxJob.objects.filter(status="DONE").count() == 1
    wait_until(lambda: InboxJob.objects.filter(message_id=waiting, status="DONE").exists())
    worker.terminate()
    assert worker.wait(30) == 0
    reader.join()
