"""Whatever a role or a database is set to, the same messages end in the same state."""

import json
from contextlib import closing
from unittest.mock import patch

import pytest
from django.db import connection

from inbox.db.session_settings import SESSION_SETTINGS
from inbox.worker.presence import Presence
from tests.support.audit.stories import story, tell_story
from tests.support.rows import esmd, send, tracking_id
from tests.support.servers.harmful_settings import HARMFUL, TARGETS, harmed, known

pytestmark = pytest.mark.django_db(transaction=True)

BY_NAME = {setting.name: setting for setting in SESSION_SETTINGS}
NAMES = list(BY_NAME)


def in_force(name: str) -> str | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s, true)", [name])
        return cursor.fetchone()[0]


def test_each_setting_has_a_value_that_would_do_harm():
    assert list(HARMFUL) == NAMES
    assert [one.name for one in SESSION_SETTINGS if one.is_fine(HARMFUL[one.name])] == []


@pytest.mark.parametrize("target", TARGETS)
def test_the_same_messages_end_in_the_same_state(target):
    expected = story(tell_story(1))
    broken = {}
    for number, name in enumerate(known(NAMES), start=2):
        with harmed(target, name):
            try:
                found = story(tell_story(number))
            except Exception as error:
                found = {"error": repr(error)}
            else:
                found |= {} if BY_NAME[name].is_fine(in_force(name)) else {"in force": in_force(name)}
        if found != expected:
            broken[name] = {key: value for key, value in found.items() if value != expected.get(key)}
    assert broken == {}


def test_the_connection_of_presence_has_them(transactional_db):
    with harmed(TARGETS[1], *known(NAMES)), closing(Presence("worker A", "test")) as presence:
        rows = presence._connection.execute(
            "SELECT name, current_setting(name, true) FROM unnest(%s::text[]) AS name", [NAMES]
        ).fetchall()
    assert [(name, value) for name, value in rows if not BY_NAME[name].is_fine(value)] == []


def test_commands_read_times_whatever_their_style(run_command):
    send(esmd(), tracking_id(1))
    with patch.dict(HARMFUL, DateStyle="SQL, DMY"), harmed(TARGETS[1], "DateStyle"):
        code, out, err = run_command("run_inbox_worker", "--drain")
        assert code == 0, err
        code, out, err = run_command("inbox_status", "--json")
    assert code == 0, err
    assert json.loads(out)["jobs"]["DONE"] == 1
