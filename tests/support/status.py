"""Jobs and workers for tests of monitoring, and the output of inbox_status."""

import json
from contextlib import contextmanager
from uuid import uuid4

from django.core.management import call_command
from django.db import connection

from inbox.models import InboxWorker
from inbox.monitoring.diagnosis import find_stalls
from inbox.monitoring.snapshot import take_snapshot
from inbox.monitoring.text_report import page
from inbox.monitoring.transactions import OpenTransaction
from tests.support.rows import job, seconds_ago

INTAKE = {"source": "integration", "message_type": "intake"}
UNKNOWN = {"source": "integration", "message_type": "no such type"}


def due_job(age_s=0.0, **fields):
    """A job that this project has a handler for, due here for that long."""
    return job(**INTAKE | {"next_attempt_at": seconds_ago(age_s), "created_at": seconds_ago(age_s)} | fields)


def worker(**fields):
    """A worker process without presence, so that only its row says whether it is alive."""
    defaults = {"instance_id": uuid4(), "worker_id": "worker A", "command": "run_inbox_worker", "host": "h", "pid": 1}
    return InboxWorker.objects.create(**defaults | fields)


def open_transaction(**fields):
    """A transaction that has been open for 90 s and keeps dead rows, as the monitoring finds it."""
    defaults = {
        "holds_back_cleanup": True,
        "age_s": 90.0,
        "pid": 4711,
        "gid": None,
        "database": "d",
        "user": "op",
        "application": "psql",
        "state": "idle in transaction",
    }
    return OpenTransaction(**defaults | fields)


def sql(statement, *values):
    """Execute a statement."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def text(**options):
    """The page that inbox_status prints."""
    seen = take_snapshot(**options)
    return page(seen, find_stalls(seen))


def read_json(line):
    """The JSON of a line; fails on NaN and Infinity, which only Python reads."""

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(line, parse_constant=refuse)


def status_json(capsys, *options):
    """The output of inbox_status --json."""
    call_command("inbox_status", "--json", *options)
    return read_json(capsys.readouterr().out)


@contextmanager
def another_session(*statements):
    """Another session that has executed `statements`; yields its pid."""
    other = connection.copy()
    other.ensure_connection()
    try:
        other.connection.autocommit = True
        for statement in statements:
            other.connection.execute(statement)
        yield other.connection.info.backend_pid
    finally:
        other.close()
