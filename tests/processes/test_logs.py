"""The logs of real processes: a line of JSON per event, and no values when a bug ends one."""

import json
import subprocess
import sys

import pytest

from tests.support.project import PROJECT
from tests.support.rows import esmd, send, tracking_id

MARKED = "MARKED-value"
CRASH = """
import sys; sys.argv = ["manage.py", "shell", "--no-imports", "-c", "raise ValueError('MARK' + 'ED-value')"]
import manage; manage.main()
"""


def test_a_process_that_ends_by_a_bug_tells_no_values():
    environment = {"SECRET_KEY": "x", "DATABASE_URL": "postgresql://user@localhost/x", "READ_DOT_ENV": "off"}
    environment["LOG_FORMAT"] = "json"
    done = subprocess.run([sys.executable, "-c", CRASH], cwd=PROJECT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    line = json.loads(done.stderr)
    assert (line["event"], line["kind"], line["level"]) == ("uncaught exception", "ValueError", "critical")
    assert MARKED not in done.stderr


@pytest.mark.django_db(transaction=True)
def test_a_worker_says_what_it_does_in_json(run_command):
    send(esmd(), tracking_id(1))
    code, out, err = run_command("run_inbox_worker", "--drain", LOG_FORMAT="json", LOG_LEVEL="DEBUG")
    assert code == 0, err
    events = [json.loads(line) for line in err.splitlines()]
    assert [event["event"] for event in events] == [
        "worker registered",
        "rows ingested",
        "jobs claimed",
        "batch finished",
        "worker stopped",
    ]
    assert (events[3]["source"], events[3]["jobs"], events[3]["done"]) == ("integration", 1, 1)
