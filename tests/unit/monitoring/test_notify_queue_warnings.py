"""The words about a NOTIFY queue that is filling up, and about who may be to blame."""

import pytest

from inbox.db.notify import SHARE
from inbox.monitoring.notify_queue import NotifyQueue, Suspect


def suspect(**fields):
    values = {
        "pid": 17,
        "is_named": False,
        "database": "other",
        "user": "op",
        "application": "psql",
        "address": None,
        "state": "idle in transaction",
        "is_unread": False,
        "since_s": 90.0,
    }
    return Suspect(**values | fields)


@pytest.mark.parametrize("usage", [None, 0.0, SHARE / 2])
def test_a_queue_with_room_or_that_may_not_be_asked_for_is_no_warning(usage):
    assert NotifyQueue(usage).warnings == []


def test_a_queue_without_a_suspect_refers_to_the_log_of_the_server():
    [(why, do)] = NotifyQueue(SHARE).warnings
    assert "is 10% full" in why
    assert "The server's log names it" in why
    assert do == "SELECT pg_terminate_backend(<pid>);"


def test_all_suspects_are_named_unless_the_server_itself_blames_one():
    other = suspect(pid=18, is_unread=True, application="serviceops-worker", address="10.0.0.7")
    [(why, do)] = NotifyQueue(0.3, [other, suspect()]).warnings
    assert "It may be blocked by pid 18 (user op, database other, serviceops-worker, 10.0.0.7, its client" in why
    assert ", or pid 17 (user op, database other, psql, idle in transaction for 90 s)" in why
    assert do == "SELECT pg_terminate_backend(18);"
    [(why, do)] = NotifyQueue(0.6, [suspect(is_named=True), other]).warnings
    assert "It is blocked by pid 17" in why
    assert "pid 18" not in why
    assert do == "SELECT pg_terminate_backend(17);"
