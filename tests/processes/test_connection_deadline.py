"""A network that swallows answers hangs nothing: a real server behind a real proxy that stops to pass them on."""

import selectors
import signal
import socket
import threading
from contextlib import suppress
from itertools import count
from time import monotonic
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg
import pytest
from django.db import OperationalError, connection, transaction
from django.test import override_settings
from psycopg.waiting import Ready, Wait

from config.postgresql import base
from inbox.db.errors import is_connection_lost
from inbox.models import InboxJob
from inbox.worker.signals import StopNow
from tests.support.probe import wait_until
from tests.support.rows import esmd, job, send, tracking_id

pytestmark = pytest.mark.django_db(transaction=True)

NO_ANSWER = r"^no answer from the database for 0\.5 s \(DB_CLIENT_DEADLINE\); connection closed$"


class Proxy(threading.Thread):
    """Forwards TCP connections to the server at `address`, until the test stops that."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self._address = address
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._stop_read, self._stop_write = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._stop_read, selectors.EVENT_READ)
        self._peers = {}
        self._servers = set()
        self._muted = set()
        self._is_swallowing = False
        self._lock = threading.Lock()
        self.has_swallowed = threading.Event()
        self.on_swallow = lambda: None

    def swallow(self, *, new_too=True):
        """From now on requests arrive and answers don't, on new connections too; nothing is closed."""
        with self._lock:
            self._is_swallowing = new_too
            self._muted |= self._servers

    def heal(self):
        """Forward new connections again. Old ones are never answered; the server sees that they are gone."""
        with self._lock:
            self._is_swallowing = False
            for server in self._muted:
                self._send(server, b"")

    def freeze(self):
        """Read nothing any more, and close nothing: the kernel goes on to acknowledge until its buffers are full."""
        self._stop_write.send(b".")
        self.join()

    def close(self):
        self.freeze()
        self._selector.close()
        for end in [self._listener, self._stop_read, self._stop_write, *self._peers]:
            end.close()

    def run(self):
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._stop_read:
                    return
                with self._lock:
                    if key.fileobj is self._listener:
                        self._accept()
                    else:
                        self._pass_on(key.fileobj)

    def _accept(self):
        client, _ = self._listener.accept()
        server = socket.socket(socket.AF_UNIX if isinstance(self._address, str) else socket.AF_INET)
        server.connect(self._address)
        self._peers |= {client: server, server: client}
        self._servers.add(server)
        if self._is_swallowing:
            self._muted.add(server)
        for end in (client, server):
            self._selector.register(end, selectors.EVENT_READ)

    def _pass_on(self, source):
        peer = self._peers[source]
        try:
            data = source.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            self._selector.unregister(source)
        if source in self._muted:
            if data and not self.has_swallowed.is_set():
                self.has_swallowed.set()
                self.on_swallow()
        elif data or peer not in self._muted:
            self._send(peer, data)

    @staticmethod
    def _send(peer, data):
        """Send `data`, or its end. The peer may be gone; then nobody misses it."""
        with suppress(OSError):
            peer.sendall(data) if data else peer.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxy(transactional_db):
    connection.ensure_connection()
    info = connection.connection.info
    is_local = info.host.startswith("/")
    proxy = Proxy(f"{info.host}/.s.PGSQL.{info.port}" if is_local else (info.hostaddr or info.host, info.port))
    proxy.start()
    yield proxy
    proxy.close()


@pytest.fixture
def behind_proxy(proxy, monkeypatch):
    """The connection of this test goes through the proxy."""
    connection.close()
    options = {name: value for name, value in connection.settings_dict["OPTIONS"].items() if "host" not in name}
    options.pop("port", None)
    database = {"HOST": "127.0.0.1", "PORT": str(proxy.port), "OPTIONS": options | {"connect_timeout": 2}}
    for name, value in database.items():
        monkeypatch.setitem(connection.settings_dict, name, value)
    connection.ensure_connection()
    yield proxy
    connection.close()


@pytest.fixture
def own_connection(transactional_db):
    """The connection of this test, which may break it."""
    connection.ensure_connection()
    yield connection.connection
    connection.close()


short_deadline = override_settings(DB_CLIENT_DEADLINE=0.5)


def execute():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return cursor.fetchone()


def execute_many():
    """psycopg does it in pipeline mode."""
    with connection.cursor() as cursor:
        cursor.executemany("SELECT %s", [[1], [2]])


def iterate_with_a_server_side_cursor():
    return list(InboxJob.objects.iterator())


@pytest.mark.parametrize("ask", [execute, execute_many, iterate_with_a_server_side_cursor])
def test_a_query_without_an_answer_ends_as_a_lost_connection(behind_proxy, ask):
    behind_proxy.swallow()
    with pytest.raises(OperationalError, match=NO_ANSWER) as caught, short_deadline:
        ask()
    assert is_connection_lost(caught.value)
    assert connection.connection.closed
    behind_proxy.heal()
    connection.close()
    assert execute() == (1,)


@pytest.mark.parametrize(("new_too", "says"), [(False, NO_ANSWER), (True, "connection timeout expired")])
def test_a_commit_without_an_answer_ends_as_a_lost_connection_though_it_took_effect(
    behind_proxy, settings, new_too, says
):
    """atomic() connects again before it raises; if that fails too, its error is raised instead. Either says it."""

    def change():
        with transaction.atomic():
            job()
            behind_proxy.swallow(new_too=new_too)
            settings.DB_CLIENT_DEADLINE = 0.5

    with pytest.raises(OperationalError, match=says) as caught:
        change()
    assert is_connection_lost(caught.value)
    assert behind_proxy.has_swallowed.wait(20)
    settings.DB_CLIENT_DEADLINE = 40
    behind_proxy.heal()
    connection.close()
    assert InboxJob.objects.count() == 1


def test_a_query_that_nobody_takes_ends_too(behind_proxy):
    """More than the buffers of both kernels hold: it is never sent to its end, and closing must not wait for it."""
    behind_proxy.freeze()
    with pytest.raises(OperationalError, match=NO_ANSWER), short_deadline, connection.cursor() as cursor:
        cursor.execute("SELECT length(%s)", ["x" * 50_000_000])


def test_a_connect_without_an_answer_ends_by_connect_timeout(behind_proxy):
    connection.close()
    behind_proxy.swallow()
    with pytest.raises(OperationalError, match="connection timeout expired") as caught:
        connection.ensure_connection()
    assert is_connection_lost(caught.value)
    behind_proxy.heal()
    assert execute() == (1,)


def test_a_raw_connection_of_a_copy_has_the_deadline_too(behind_proxy):
    """This is how a process makes the connection of its presence; the error says by its code that it is lost."""
    wrapper = connection.copy()
    raw = wrapper.get_new_connection(wrapper.get_connection_params())
    behind_proxy.swallow()
    with pytest.raises(psycopg.errors.ConnectionFailure, match=NO_ANSWER), short_deadline:
        raw.execute("SELECT 1")
    assert raw.closed


def test_the_second_signal_gets_through_while_an_answer_is_missing(behind_proxy, settings):
    """psycopg asks the server to cancel, gives that 5 s, waits for the answer again, and lets the signal through."""

    def stop_now(number, frame):
        raise StopNow

    def interrupt():
        settings.DB_CLIENT_DEADLINE = 0.5
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, stop_now)
    behind_proxy.on_swallow = interrupt
    behind_proxy.swallow()
    try:
        # When the answer comes, the connection has long been waiting for it.
        with pytest.raises(StopNow), connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.3)")
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert connection.connection.closed


def test_a_signal_between_two_waits_leaves_no_connection_with_an_answer_in_it(own_connection):
    def interrupted():
        own_connection.pgconn.send_query(b"SELECT 1")
        yield Wait.R
        raise StopNow

    with pytest.raises(StopNow):
        own_connection.wait(interrupted())
    assert own_connection.closed


def test_a_slow_answer_counts_as_none(own_connection):
    """Hence the deadline must exceed statement_timeout."""
    with pytest.raises(psycopg.OperationalError, match=NO_ANSWER), short_deadline:
        own_connection.execute("SELECT pg_sleep(3)")


def test_rows_that_keep_coming_may_take_longer_than_the_deadline(own_connection, monkeypatch):
    """The clock goes on by 4 s whenever it is looked at, which is at least once per piece that arrives."""
    clock = count(step=4)
    monkeypatch.setattr(base, "monotonic", clock.__next__)
    with override_settings(DB_CLIENT_DEADLINE=40):
        rows = own_connection.execute("SELECT repeat('x', 20000) FROM generate_series(1, 1000)").fetchall()
    assert len(rows) == 1000
    assert next(clock) > 80


def test_a_process_that_slept_takes_the_answer_that_came_meanwhile(own_connection, monkeypatch):
    def answer():
        while not (yield Wait.R):
            pass
        return "the answer"

    def wait(gen, *args, **kwargs):
        """Finds nothing, sleeps for an hour, and then finds the answer."""
        next(gen)
        monkeypatch.setattr(base, "monotonic", lambda: monotonic() + 3600)
        gen.send(Ready.NONE)
        with pytest.raises(StopIteration) as end:
            gen.send(Ready.R)
        return end.value.value

    own_connection.pgconn.send_query(b"SELECT 1")
    monkeypatch.setattr(psycopg.waiting, "wait", wait)
    assert own_connection.wait(answer()) == "the answer"


def test_listening_may_be_silent_for_longer_than_the_deadline(own_connection, monkeypatch):
    monkeypatch.setattr(base, "monotonic", count(step=3600).__next__)
    assert list(own_connection.notifies(timeout=0)) == []
    assert not own_connection.closed


def test_a_worker_goes_on_when_answers_come_again(proxy, start_command, command_environment):
    parts = urlsplit(command_environment["DATABASE_URL"])
    login = parts.netloc.rpartition("@")[0]
    query = {name: value for name, value in parse_qsl(parts.query) if name not in ("host", "port")}
    url = urlunsplit(
        parts._replace(netloc=f"{login}@127.0.0.1:{proxy.port}", query=urlencode(query | {"connect_timeout": 2}))
    )
    worker = start_command("run_inbox_worker", "--poll-interval", "0.1", DATABASE_URL=url, DB_CLIENT_DEADLINE="1")
    before = send(esmd(), tracking_id(1))
    wait_until(lambda: InboxJob.objects.filter(message_id=before, status="DONE").exists())
    proxy.swallow()
    while "connection lost" not in (line := worker.stderr.readline()):
        assert line, "it ended"
    proxy.heal()
    after = send(esmd(), tracking_id(2))
    wait_until(lambda: InboxJob.objects.filter(message_id=after, status="DONE").exists())
    worker.send_signal(signal.SIGTERM)
    out, err = worker.communicate(timeout=30)
    assert worker.returncode == 0, err


def test_a_connection_that_ends_without_a_word_inside_a_transaction_counts_as_lost(own_connection):
    """atomic() connects again before it raises, so that only the error's code can still tell."""
    with pytest.raises(OperationalError) as caught:
        execute_twice_and_lose_the_connection_between(own_connection)
    assert is_connection_lost(caught.value)


@transaction.atomic
def execute_twice_and_lose_the_connection_between(raw):
    execute()
    with socket.socket(fileno=socket.dup(raw.fileno())) as end:
        end.shutdown(socket.SHUT_RDWR)
    execute()
