"""Status, metrics and a check tell how full the NOTIFY queue is and who blocks it.

In a file that comes first: the server names the one to blame at most every 5 s, for all tests together.
"""

import json

import pytest
from django.core.management import call_command

from config.web.metrics import metrics_text
from inbox.monitoring.notify_queue import look_at_notify_queue
from inbox.monitoring.snapshot import take_snapshot
from inbox.monitoring.text_report import page
from tests.support.probe import wait_until
from tests.support.servers.notify_queue import fill


@pytest.fixture
def innocent(here):
    """A session that does not listen, with a transaction older than the listener's."""
    here.execute("BEGIN")
    return here


def named_by_server():
    """The session that the server names, as it does at most every 5 s; None if it has not in this moment."""
    [suspect, *_] = look_at_notify_queue().suspects
    return suspect.pid if suspect.is_named else None


def test_status_and_metrics_tell_how_full_it_is_and_who_blocks_it(innocent, listener, stranger, capsys):
    assert page(take_snapshot(), []).count("NOTIFY queue") == 1
    fill(stranger, 0.3)
    found = look_at_notify_queue()
    # Its transaction has to be a second old.
    wait_until(lambda: listener in [suspect.pid for suspect in look_at_notify_queue().suspects])
    assert 0.3 <= found.usage < 0.4
    [(why, do)] = [warning for warning in take_snapshot().warnings if "NOTIFY" in warning[0]]
    assert "It may be blocked by" in why
    assert f"pid {listener} (user serviceops, database strangers" in why
    fill(stranger, 0.5)
    wait_until(lambda: named_by_server() == listener)
    innocent.execute("ROLLBACK")
    text = metrics_text().decode()
    assert "inbox_notify_queue_usage_ratio 0.5" in text
    assert f"inbox_notify_queue_blocked_by_pid {listener:.1f}" in text
    call_command("inbox_status", "--json")
    values = json.loads(capsys.readouterr().out)
    assert values["notify_queue"]["is_filling"] is True
    assert values["notify_queue"]["suspects"][0]["pid"] == listener
    assert f"SELECT pg_terminate_backend({listener});" in [one["do"] for one in values["warnings"]]
    call_command("inbox_status", "--check")
    assert "warning: the NOTIFY queue is 5" in capsys.readouterr().out
