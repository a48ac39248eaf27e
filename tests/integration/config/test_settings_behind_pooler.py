"""Sessions behind PgBouncer in transaction mode, whatever the role or the database of its sessions is set to."""

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import psycopg
import pytest
from django.conf import settings
from django.db import OperationalError, connection, connections

from config.database_url import database
from config.embedded_postgres.server import Server
from inbox.db.session_settings import SESSION_SETTINGS
from inbox.models import InboxJob
from tests.support.audit.stories import story, tell_story
from tests.support.pooler import Pooler
from tests.support.probe import wait_until
from tests.support.rows import esmd, send, tracking_id
from tests.support.servers.harmful_settings import HARMFUL, TARGETS, harmed, known
from verification.proof.stage import Stage
from verification.protections.isolation import READ_COMMITTED
from verification.rows import isolation

pytestmark = pytest.mark.django_db(transaction=True)

CARRIED = [one.name for one in SESSION_SETTINGS if one.is_carried]
ISOLATION = "default_transaction_isolation"
NOT_CARRIED = [one.name for one in SESSION_SETTINGS if not one.is_carried and one.name != "client_encoding"]


@pytest.fixture
def pooler(db):
    """Not in pytest's own folder: as root, the pooler runs as another user, who may not enter that."""
    given = connection.get_connection_params()
    server = {name: given.get(name) for name in ("host", "port", "dbname", "user", "password")}
    home = Server.of_project(settings.BASE_DIR).home if settings.USES_EMBEDDED_DATABASE else None
    with TemporaryDirectory(prefix="pgbouncer-") as folder, Pooler(Path(folder), server, home=home) as running:
        yield running


@contextmanager
def through(pooler, options=""):
    """The default connection leads through the pooler, which has started anew."""
    pooler.kill()
    pooler.start()
    wait_until(pooler.answers)
    connection.close()
    found = database("DATABASE_URL", pooler.url + options)
    address = {name: found[name] for name in ("HOST", "PORT", "USER", "PASSWORD", "OPTIONS")}
    # This session's, and those of the sessions of a race.
    with patch.dict(connection.settings_dict, address), patch.dict(connections.settings["default"], address):
        try:
            yield
        finally:
            connection.close()


@pytest.fixture
def stage():
    """Its watcher reaches the server itself."""
    opened = Stage()
    yield opened
    opened.close()


def refusal(pooler, options=""):
    with through(pooler, options), pytest.raises(OperationalError) as refused:
        connection.ensure_connection()
    return str(refused.value)


def test_the_same_messages_end_in_the_same_state(pooler):
    expected = story(tell_story(1))
    for number, target in enumerate(TARGETS, start=2):
        with harmed(target, *CARRIED), through(pooler):
            assert story(tell_story(number)) == expected


@pytest.mark.parametrize("target", TARGETS)
def test_a_transaction_that_waited_sees_what_was_committed(pooler, stage, target):
    with harmed(target, ISOLATION), through(pooler):
        assert isolation.a_payload_waits_for_an_older_answer(stage) == []


def test_without_its_level_it_does_not(pooler, stage):
    config = pooler.folder / "pgbouncer.ini"
    config.write_text(config.read_text().replace(f"SET {ISOLATION}=", "SET verify.nothing="))
    with harmed(TARGETS[0], ISOLATION), through(pooler), READ_COMMITTED.without():
        broken = isolation.a_payload_waits_for_an_older_answer(stage)
    assert "round and payload: (1, 'SENT') instead of (2, 'NOT_SENT')" in broken[0]


@pytest.mark.parametrize("target", TARGETS)
def test_what_the_pooler_does_not_carry_is_refused_with_who_set_it(pooler, target):
    for name in known(NOT_CARRIED):
        with harmed(target, name):
            text = refusal(pooler)
        who = target.split(" ")[0]
        assert f"run with {name} = '{HARMFUL[name]}' and not " in text
        assert f"ALTER {who} " in text
        assert f"RESET {name};" in text


@pytest.mark.parametrize("name", ["session_replication_role", "default_transaction_read_only"])
def test_what_another_client_has_left_in_a_session_is_refused(pooler, name):
    """A session that remained read-only would keep all workers waiting until the pooler closes it, an hour later."""
    with through(pooler):
        with psycopg.connect(pooler.url, autocommit=True) as other:
            other.execute(f"SET {name} = '{HARMFUL[name]}'")
        connection.close()
        with pytest.raises(OperationalError) as refused:
            connection.ensure_connection()
    assert f"some client of the pooler has SET {name} = '{HARMFUL[name]}' and not " in str(refused.value)
    assert "Have the pooler RECONNECT" in str(refused.value)


def test_the_environment_of_a_shell_changes_nothing(pooler, run_command):
    shell = {"PGTZ": "Europe/Berlin", "PGDATESTYLE": "German", "PGGEQO": "off", "PGOPTIONS": "-c array_nulls=off"}
    code, _, err = run_command("run_inbox_worker", "--drain", DATABASE_URL=pooler.url, **shell)
    assert code == 0, err


def test_a_search_path_that_the_pooler_drops_is_refused(pooler):
    """It would be another installation that is worked on."""
    text = refusal(pooler, "?options=-c%20search_path%3Delsewhere")
    assert "search_path = '\"$user\", public'" in text
    assert "SET search_path = elsewhere;" in text


def test_a_worker_that_runs_says_what_is_wrong_and_goes_on_once_it_is_put_right(pooler, start_command):
    send(esmd(), tracking_id(1))
    running = start_command("run_inbox_worker", DATABASE_URL=pooler.url)
    wait_until(lambda: InboxJob.objects.filter(status="DONE").count() == 1)
    with harmed(TARGETS[0], "exit_on_error"):
        pooler.kill()
        pooler.start()
        # Ends with the process, which goes on for ever.
        assert any("run with exit_on_error = 'on' and not 'off'" in line for line in running.stderr)
        send(esmd(), tracking_id(2))
    pooler.kill()
    pooler.start()
    wait_until(lambda: InboxJob.objects.filter(status="DONE").count() == 2)
    assert running.poll() is None
