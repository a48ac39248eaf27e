"""The stage of a race: it holds sessions at gates, and knows when all of them stand still."""

from functools import partial

import pytest
from django.db import OperationalError, connection, transaction

from inbox.engine import claim
from tests.support.rows import job
from verification.proof import stage as stage_module
from verification.proof.stage import NotStill

pytestmark = pytest.mark.django_db(transaction=True)


def lock(inbox_id, then=lambda: None):
    """Lock a job, and call `then` inside the transaction."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT status FROM integration_inbox WHERE inbox_id = %s FOR UPDATE", [inbox_id])
        then()
        return cursor.fetchone()[0]


def what(stage, session):
    return [moment.what for moment in stage.moments if moment.session == session]


@pytest.fixture(autouse=True)
def gated(monkeypatch):
    """A function that does nothing, and that the gates of these tests are on."""
    monkeypatch.setattr(claim, "_mark", lambda: None)


def come_to_the_gate():
    claim._mark()


def test_sessions_are_held_at_a_gate_until_all_stand_still(stage):
    with stage.hold("inbox.engine.claim:_mark"):
        results = stage.at_once(dict.fromkeys("AB", come_to_the_gate))
    assert {name: result.error for name, result in results.items()} == {"A": None, "B": None}
    story = [moment.what for moment in stage.moments]
    assert story.index("goes on") > max(at for at, moment in enumerate(story) if moment == "held before _mark")


def test_only_the_named_sessions_are_held(stage):
    with stage.hold("inbox.engine.claim:_mark", only=("A",)):
        stage.at_once(dict.fromkeys("AB", come_to_the_gate))
    assert "held before _mark" in what(stage, "A")
    assert "held before _mark" not in what(stage, "B")


def test_steps_go_on_one_by_one(stage):
    one = job().pk
    with stage.hold("inbox.engine.claim:_mark", only=("A",)):
        stage.start("A", partial(lock, one, come_to_the_gate))
        stage.start("B", partial(lock, one))
        assert stage.is_waiting("B")
        stage.go("A")
        assert (stage.end("A").value, stage.end("B").value) == ("NEW", "NEW")
    assert what(stage, "A")[1] == "held before _mark"
    assert what(stage, "B")[1].startswith("waits for a lock: SELECT status")


def test_a_session_that_gets_its_lock_late_passes_the_gate(stage):
    """Else it would be held for ever, as at_once lets each go once."""
    one = job().pk
    with stage.hold("inbox.engine.claim:_mark"):
        results = stage.at_once({name: partial(lock, one, come_to_the_gate) for name in "ABC"})
    assert [result.value for result in results.values()] == ["NEW"] * 3


def test_a_killed_session_ends_with_an_error_and_its_locks_are_gone(stage):
    one = job().pk
    with stage.hold("inbox.engine.claim:_mark", only=("A",)):
        stage.start("A", partial(lock, one, come_to_the_gate))
        stage.kill("A")
        assert lock(one) == "NEW"
        stage.go("A")
        assert isinstance(stage.end("A").error, OperationalError)
    stage.start("A", partial(lock, one))
    assert stage.end("A").value == "NEW"


def test_a_session_that_neither_ends_nor_waits_is_told(stage, monkeypatch):
    monkeypatch.setattr(stage_module, "DEADLINE_S", 0.1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(1)")

    def sleep():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(60)")

    with pytest.raises(NotStill, match="these sessions run on: A"):
        stage.start("A", sleep)


def test_a_step_that_never_comes_to_the_gate_is_told_at_once(stage):
    with stage.hold("inbox.engine.claim:_mark"):
        stage.start("A", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            stage.go("A")
        stage.start("A", lambda: None)
        with pytest.raises(NotStill, match="session A ended its step before it came to a gate"):
            stage.go("A")
