"""A process shows that it is alive by a lock that vanishes with it, and is notified of work."""

import select
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import psycopg
import pytest
from django.db import OperationalError, connection

from inbox.db.connection_budget import count_connections
from inbox.db.notify import CHANNEL, notify
from inbox.engine.give_back import give_back
from inbox.engine.ingest import ingest
from inbox.events import Event, listening
from inbox.job_counts import NO_JOBS
from inbox.management.base import user_at_host
from inbox.models import InboxWorker
from inbox.worker.direct_way import DirectWay, connect_directly
from inbox.worker.presence import LOCK_CLASS, Presence, PresenceLost, default_worker_id
from inbox.worker.registration import Registration
from tests.support.probe import claim_all, lock_waiters, probe_source, wait_until
from tests.support.rows import send, tracking_id

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def present():
    presence = Presence("worker A", "test")
    yield presence
    presence.close()


def execute(sql, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else []


def holders(worker):
    """The backends that hold the lock of this inbox_worker.id."""
    rows = execute(
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objid = %s AND granted",
        LOCK_CLASS,
        worker,
    )
    return [pid for (pid,) in rows]


def comes(presence):
    """Wait until the connection has something to read."""
    assert select.select([presence], [], [], 20)[0], "nothing came"


def next_payload(presence):
    """The payload of the next notification, which `has_notification` does not tell."""
    [notification] = presence._connection.notifies(timeout=20, stop_after=1)
    return notification.payload


def insert_a_row_of_clinical_ops():
    execute("INSERT INTO service_ops_send_serviceops (decision_tracking_id) VALUES (%s)", tracking_id(1))


def decide_a_row_of_clinical_ops():
    execute("UPDATE service_ops_send_serviceops SET clinical_ops_decision_json = '{}'")


WRITERS = [lambda: send({}), insert_a_row_of_clinical_ops, decide_a_row_of_clinical_ops, notify]


def register_in_a_thread():
    try:
        return Presence("worker B", "test")
    finally:
        connection.close()


def test_nobody_ever_sees_the_row_without_its_lock(present):
    """Another session has the lock already: all that time the registration has its row, and nobody sees it."""
    next_id = present.id + 1
    with ThreadPoolExecutor() as pool:
        execute("SELECT pg_advisory_lock(%s, %s)", LOCK_CLASS, next_id)
        registering = pool.submit(register_in_a_thread)
        wait_until(lock_waiters)
        assert list(InboxWorker.objects.values_list("worker_id", flat=True)) == ["worker A"]
        execute("SELECT pg_advisory_unlock(%s, %s)", LOCK_CLASS, next_id)
        registered = registering.result(20)
    assert registered.id == next_id
    assert InboxWorker.objects.filter(pk=next_id, state="RUNNING", has_presence=True).exists()
    assert holders(next_id) == [registered._connection.info.backend_pid]
    registered.close()


def test_the_lock_is_gone_as_soon_as_the_connection_is_and_the_row_stays(present):
    present.close()
    wait_until(lambda: not holders(present.id))
    assert InboxWorker.objects.get().state == "RUNNING"


def test_one_write_of_work_is_one_notification(present):
    assert not present.has_notification()
    for write in WRITERS:
        write()
        comes(present)
        assert present.has_notification()
        assert not present.has_notification()


def test_a_writers_session_can_switch_notifications_off(present):
    """Notifications come in the order of their commits, so the first one is not the writers'."""
    execute("SET inbox.notify = off")
    for write in WRITERS:
        write()
    execute(f"NOTIFY {CHANNEL}, 'afterwards'")
    execute("RESET inbox.notify")
    assert next_payload(present) == "afterwards"


def test_a_rollback_notifies_nobody(present):
    execute("BEGIN")
    send({})
    execute("ROLLBACK")
    execute(f"NOTIFY {CHANNEL}, 'afterwards'")
    assert next_payload(present) == "afterwards"


def test_an_ended_backend_is_a_lost_presence(present):
    execute("SELECT pg_terminate_backend(%s)", *holders(present.id))
    with pytest.raises(PresenceLost):
        wait_until(lambda: comes(present) or present.has_notification())
    assert not holders(present.id)
    with pytest.raises(PresenceLost):
        present.has_notification()


def test_a_closed_presence_can_not_be_waited_for(present):
    present.close()
    with pytest.raises(PresenceLost):
        present.fileno()


def test_behind_a_pooler_there_is_no_presence(monkeypatch):
    """Stands for PgBouncer, which tells each client a backend number of its own making."""
    monkeypatch.setattr(psycopg.ConnectionInfo, "backend_pid", 1)
    registered = Presence("worker A", "test")
    assert (registered.is_seen, registered.presence_id) == (False, None)
    assert registered._connection.closed
    row = InboxWorker.objects.get(pk=registered.id)
    assert (row.has_presence, row.state) == (False, "RUNNING")
    assert not holders(registered.id)


def test_a_registration_that_fails_leaves_no_row_and_no_connection(monkeypatch):
    execute("ALTER TABLE inbox_worker ADD CONSTRAINT no_more CHECK (worker_id <> 'worker A') NOT VALID")
    made = []
    monkeypatch.setattr("inbox.worker.presence._is_direct", lambda raw: made.append(raw) or True)
    try:
        with pytest.raises(OperationalError, match="no_more"):
            Presence("worker A", "test")
    finally:
        execute("ALTER TABLE inbox_worker DROP CONSTRAINT no_more")
    assert [raw.closed for raw in made] == [True]
    assert not InboxWorker.objects.exists()


def test_jobs_given_back_wake_the_other_workers(present):
    """So that a batch of a worker that stops need not wait for their next look."""
    send({})
    ingest(probe_source())
    claimed = claim_all(probe_source())
    comes(present)
    assert present.has_notification()
    assert give_back(claimed.lease_id, claimed.inbox_ids["probe"]) == 1
    comes(present)
    assert present.has_notification()


def test_a_direct_way_into_another_database_is_no_presence(settings):
    """Another schema stands for it: a worker of that number may be anybody there."""
    execute("CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.inbox_worker (LIKE public.inbox_worker INCLUDING ALL)")
    options = dict(connection.settings_dict["OPTIONS"])
    options["options"] += " -c search_path=elsewhere"
    settings.DATABASE_DIRECT = {"OPTIONS": options}
    try:
        with pytest.raises(OperationalError, match="leads to another database"):
            Presence("worker A", "test")
        assert execute("SELECT count(*) FROM elsewhere.inbox_worker") == [(0,)]
    finally:
        execute("DROP SCHEMA elsewhere CASCADE")


def test_without_a_connection_of_its_own_a_worker_goes_on_and_gets_one_later():
    def register(*, has_own_connection=True):
        if has_own_connection and is_closed:
            raise OperationalError("connection refused")
        return Presence("worker A", "test", has_own_connection=has_own_connection)

    is_closed = True
    registration = Registration("worker A", register)
    assert registration.renew(NO_JOBS)
    assert (registration.is_seen, registration.presence_id) == (False, None)
    assert not registration.renew(NO_JOBS)
    makeshift, is_closed = registration.id, False
    # The time to try again has come.
    registration.trying.every_s = 0
    assert registration.renew(NO_JOBS)
    assert registration.is_seen
    states = dict(InboxWorker.objects.values_list("pk", "state"))
    assert states == {makeshift: "STOPPED", registration.id: "RUNNING"}
    registration.drop()


def test_a_worker_goes_on_while_the_direct_way_is_silent_and_has_its_presence_once_it_answers(monkeypatch):
    monkeypatch.setattr("inbox.worker.direct_way.PATIENCE_S", 0)
    answers = threading.Event()
    way = DirectWay(lambda: answers.wait(20) and connect_directly())
    registration = Registration("worker A", partial(Presence, "worker A", "test", connect=way.connection))
    # The time to try again has come, always.
    monkeypatch.setattr(registration.trying, "is_due", lambda: True)
    told = []
    with listening(lambda event, counts: told.append(event)):
        assert registration.renew(NO_JOBS)
        assert not registration.renew(NO_JOBS)
    assert registration.presence.is_makeshift
    assert told == [Event.WITHOUT_PRESENCE, Event.REGISTERED]
    answers.set()
    wait_until(lambda: registration.renew(NO_JOBS))
    assert registration.is_seen
    registration.drop()


def test_after_a_time_without_a_database_a_worker_has_its_presence_at_once():
    """A server that refused everything says nothing about a connection of its own."""

    def register(*, has_own_connection=True):
        if is_away:
            raise OperationalError("the database system is shutting down")
        return Presence("worker A", "test", has_own_connection=has_own_connection)

    is_away = True
    registration = Registration("worker A", register)
    for _ in range(10):
        with pytest.raises(OperationalError):
            registration.renew(NO_JOBS)
    is_away = False
    assert registration.renew(NO_JOBS)
    assert registration.is_seen
    registration.drop()


def test_a_worker_that_saw_room_when_others_did_too_closes_its_connection_again(settings, monkeypatch):
    before = count_connections()
    monkeypatch.setattr("inbox.worker.registration.count_connections", lambda: before)
    # There is none, but for what the count of a moment ago says.
    settings.DB_CONNECTION_BUDGET, settings.DB_CONNECTIONS_RESERVED = before.background, 0
    registration = Registration("worker A", partial(Presence, "worker A", "test"))
    assert registration.renew(NO_JOBS)
    assert not registration.is_seen
    assert list(InboxWorker.objects.values_list("has_presence", "state")) == [(False, "RUNNING")]
    # One of the two for the session that the server may still be ending.
    settings.DB_CONNECTION_BUDGET += 2
    registration.trying.every_s = 0
    assert registration.renew(NO_JOBS)
    assert registration.is_seen
    registration.drop()


def test_names_of_bytes_that_are_no_text_are_cleaned(monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "h\udcff")
    registered = Presence(default_worker_id(), "test")
    row = InboxWorker.objects.get()
    assert (row.host, row.worker_id[:3]) == ("h?", "h?:")
    assert user_at_host().endswith("@h?")
    registered.close()
