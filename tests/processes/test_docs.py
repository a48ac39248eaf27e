"""The commands in the documents work. tests/unit/test_docs.py checks that documents name only what exists."""

import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from unittest.mock import patch

import pytest
from django.db import connection

from inbox import registry
from inbox.engine.ingest import ingest
from inbox.engine.work import work
from inbox.job_counts import JobCounts
from inbox.models import InboxAudit, InboxJob, PollWatermark, SourcePause
from packets.source import INTEGRATION
from tests.support.probe import claim_all
from tests.support.project import PROJECT
from tests.support.rows import job, seconds_ago, send, tracking_id

TYPED = sorted([PROJECT / "docs/quickstart.md", PROJECT / "docs/extend.md", *(PROJECT / "docs/howto").glob("*.md")])
BLOCK = re.compile(r"^( *)```(sh|sql|python)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)

# Commands that run until a signal get one, and must then end well. With --foreground, timeout signals once.
ENDED = f"timeout --foreground --preserve-status -s TERM 3 {sys.executable}"
MANAGE = f"""#!/bin/sh
case "$*" in
  run_inbox_worker|run_clinical_ops_poller) exec {ENDED} manage.py "$@" ;;
  runserver*) exec {sys.executable} manage.py help runserver >/dev/null ;;
  *) exec {sys.executable} manage.py "$@" ;;
esac
"""


def blocks(path):
    """The language and the text of each block to type."""
    found = [
        (kind, re.sub(f"^{indent}", "", text, flags=re.M)) for indent, kind, text in BLOCK.findall(path.read_text())
    ]
    assert found, f"{path} has nothing to type"
    return found


@pytest.fixture
def shell(command_environment, tmp_path, live_server):
    """Runs a script with `manage.py`, the test database and the web at hand; returns what it prints."""
    for name, text in {"manage.py": MANAGE, "make": f'#!/bin/sh\nexec {shutil.which("make")} -n "$@"\n'}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    environment = command_environment | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}

    def run(script):
        script = script.replace("http://127.0.0.1:8000", live_server.url)
        done = subprocess.run(
            ["sh", "-euc", script], cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=100
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


def type_all(name, shell) -> str:
    """Run every block of a document in order; returns what was printed."""
    printed = []
    for kind, text in blocks(PROJECT / "docs" / name):
        if kind == "sh":
            printed.append(shell(text))
        elif kind == "sql":
            with connection.cursor() as cursor:
                cursor.execute(text)
        else:
            compile(text, name, "exec")
    return "\n".join(printed)


pytestmark = pytest.mark.django_db(transaction=True)


def test_quickstart(shell):
    printed = type_all("quickstart.md", shell)
    assert "200 jobs in" in printed
    assert "alive\n" in printed
    assert "inbox_workers_alive" in printed


def test_a_job_is_stuck(shell):
    job(status="PROCESSING", locked_at=seconds_ago(3600))
    dead = job(status="DEAD", decision_tracking_id=tracking_id(1), finished_at=seconds_ago(9))
    printed = type_all("howto/job-is-stuck.md", shell)
    assert "1 would be requeued: 1 DEAD" in printed
    dead.refresh_from_db()
    assert dead.status == "NEW"
    assert not InboxJob.objects.filter(status="PROCESSING").exists()
    assert InboxAudit.objects.get().reason == "the packet was sent again"


def test_a_flood_of_dead(shell):
    for number in range(3):
        text = "submission_metadata is absent" if number else "another reason"
        job(status="DEAD", last_error=text, finished_at=seconds_ago(9))
    printed = type_all("howto/flood-of-dead.md", shell)
    assert "2  submission_metadata is absent" in printed
    assert "2 requeued" in printed


def test_the_generator_is_down(shell):
    job(source="json_generator", message_type="generate_payload", status="DEAD", finished_at=seconds_ago(9))
    SourcePause.objects.create(source="json_generator", reason="no connection", next_try_at=seconds_ago(-60))
    printed = type_all("howto/generator-down.md", shell)
    assert "no connection" in printed
    assert "1 requeued" in printed
    assert SourcePause.objects.get().next_try_at < seconds_ago(0)


def test_a_worker_will_not_start_or_stop(shell):
    printed = type_all("howto/worker-wont-start-or-stop.md", shell)
    assert "System check identified no issues" in printed
    assert "workers: none is running" in printed


def test_the_notify_queue_is_filling_up(shell):
    printed = type_all("howto/notify-queue-full.md", shell)
    assert "NOTIFY queue\n  0% full" in printed


def test_a_day_is_replayed(shell):
    PollWatermark.objects.get_or_create(source="integration")
    send({}, tracking_id(7))
    old = job(status="DEAD", finished_at=seconds_ago(9))
    InboxJob.objects.filter(pk=old.pk).update(created_at=datetime(2031, 2, 3, 12, tzinfo=UTC))
    printed = type_all("howto/replay-a-day.md", shell)
    assert "1 would be requeued: 1 DEAD" in printed
    assert InboxJob.objects.filter(source="integration").count() == 1


def test_after_a_failover(shell):
    send({}, tracking_id(7))
    job(status="PROCESSING", locked_at=seconds_ago(3600))
    type_all("howto/restore-after-failover.md", shell)
    assert not InboxJob.objects.filter(status="PROCESSING").exists()
    assert InboxJob.objects.filter(source="integration").count() == 1


def test_handlers_and_a_source_are_added(shell, monkeypatch):
    monkeypatch.setattr(registry, "_sources", dict(registry._sources))
    try:
        type_all("extend.md", shell)
        with patch.dict(INTEGRATION.handlers):
            for kind, code in blocks(PROJECT / "docs/extend.md"):
                if kind == "python":
                    exec(code, {"__name__": "extended"})  # noqa: S102 what the document says to write
            rows = [send({"text": "it works"}, tracking_id(1)), send({}, tracking_id(1))]
            for message_id in rows:
                job(
                    source="integration",
                    message_type="note",
                    message_id=message_id,
                    decision_tracking_id=tracking_id(1),
                )
            assert work(claim_all(INTEGRATION)) == JobCounts(done=1, dead=1)
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO lab_send_serviceops (decision_tracking_id, payload) VALUES (NULL, '{}'), (%s, '{}')",
                [tracking_id(1)],
            )
        lab = registry.source("lab")
        assert ingest(lab).count == 2
        assert work(claim_all(lab)) == JobCounts(done=1, dead=1)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS lab_send_serviceops")


def test_every_document_that_says_what_to_type_is_tested():
    named = set(re.findall(r'type_all\("(.*?)", shell\)', (PROJECT / "tests/processes/test_docs.py").read_text()))
    assert {str(path.relative_to(PROJECT / "docs")) for path in TYPED} == named
