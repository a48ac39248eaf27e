"""Sessions behind PgBouncer in transaction mode, whatever the role or the database of its sessions is set to."""

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest
from django.conf import settings
from django.db import OperationalError, connection

from config.database_url import database
from config.embedded_postgres.server import Server
from inbox.db.session_settings import SESSION_SETTINGS
from tests.support.audit.stories import story, tell_story
from tests.support.pooler import Pooler
from tests.support.probe import wait_until
from tests.support.servers.harmful_settings import HARMFUL, TARGETS, harmed, known

pytestmark = pytest.mark.django_db(transaction=True)

CARRIED = [one.name for one in SESSION_SETTINGS if one.is_carried]
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
    with patch.dict(connection.settings_dict, address):
        try:
            yield
        finally:
            connection.close()


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
def test_what_the_pooler_does_not_carry_is_refused_with_who_set_it(pooler, target):
    for name in known(NOT_CARRIED):
        with harmed(target, name):
            text = refusal(pooler)
        who = target.split(" ")[0]
        assert f"run with {name} = '{HARMFUL[name]}' and not " in text
        assert f"ALTER {who} " in text
        assert f"RESET {name};" in text


def test_a_search_path_that_the_pooler_drops_is_refused(pooler):
    """It would be another installation that is worked on."""
    text = refusal(pooler, "?options=-c%20search_path%3Delsewhere")
    assert "search_path = '\"$user\", public'" in text
    assert "SET search_path = elsewhere;" in text
