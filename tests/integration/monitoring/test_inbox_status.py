"""inbox_status: what it shows, what it calls a standstill, and that no row and no reader breaks it."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from inbox.models import InboxJob, InboxTally, InboxWorker, PollWatermark
from inbox.monitoring.diagnosis import find_stalls
from inbox.monitoring.ended_jobs import count_ended, dead_by_reason
from inbox.monitoring.open_jobs import list_open_jobs
from inbox.monitoring.snapshot import take_page_snapshot, take_snapshot
from inbox.monitoring.sources import list_sources
from inbox.monitoring.terminal import WIDTH, clip
from inbox.monitoring.text_report import page
from inbox.monitoring.transactions import (
    SELECT_OLDEST,
    OpenTransaction,
    Slot,
    Transactions,
    find_transactions,
    warnings,
)
from inbox.worker.presence import Presence
from tests.conftest import PROJECT
from tests.support.drain import drain
from tests.support.probe import wait_until
from tests.support.rows import esmd, job, seconds_ago, send, tracking_id

pytestmark = pytest.mark.django_db(transaction=True)

INTAKE = {"source": "integration", "message_type": "intake"}
UNKNOWN = {"source": "integration", "message_type": "no such type"}


def due_job(age_s=0.0, **fields):
    """A job that this project has a handler for, due here for that long."""
    return job(**INTAKE | {"next_attempt_at": seconds_ago(age_s), "created_at": seconds_ago(age_s)} | fields)


def worker(**fields):
    """A worker process without presence, so that its row alone says whether it lives."""
    defaults = {"instance_id": uuid4(), "worker_id": "worker A", "command": "run_inbox_worker", "host": "h", "pid": 1}
    return InboxWorker.objects.create(**defaults | fields)


def sql(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def text(**options):
    seen = take_snapshot(**options)
    return page(seen, find_stalls(seen))


def read_json(line):
    """Python reads NaN and Infinity; other programs don't."""

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(line, parse_constant=refuse)


def status_json(capsys, *options):
    call_command("inbox_status", "--json", *options)
    return read_json(capsys.readouterr().out)


# What it shows.


def test_it_counts_every_status(capsys):
    for status in ("NEW", "PROCESSING", "FAILED", "WAITING", "DEAD", "DONE", "DONE"):
        due_job(status=status)
    expected = {"NEW": 1, "PROCESSING": 1, "FAILED": 1, "WAITING": 1, "DEAD": 1, "DONE": 2}
    assert take_snapshot().jobs == expected
    seen = status_json(capsys)
    assert (seen["jobs"], seen["at_least"]) == (expected, [])


def test_of_many_jobs_only_the_newest_ended_ones_are_counted_and_it_says_so():
    for _ in range(5):
        due_job(status="DONE")
    due_job(status="DEAD", last_error="broken")
    due_job(), due_job()
    seen = take_snapshot(newest=4)
    assert (seen.jobs["NEW"], seen.jobs["DONE"], seen.jobs["DEAD"]) == (2, 1, 1)
    assert seen.at_least == ["DONE", "DEAD"]
    lines = page(seen, []).splitlines()
    assert "           2  NEW" in lines
    assert "          1+  DONE" in lines
    assert seen.dead == [("broken", 1)]
    assert take_snapshot(newest=9).at_least == []
    assert take_snapshot(newest=None).jobs["DONE"] == 5


def test_old_dead_jobs_are_not_among_the_newest():
    due_job(status="DEAD", last_error="old"), due_job(), due_job()
    ended = count_ended(2)
    assert (ended.counts, ended.is_partial) == ({"DONE": 0, "DEAD": 0}, True)
    assert dead_by_reason(ended) == []
    assert dead_by_reason(count_ended(None)) == [("old", 1)]


def test_exact_counts_all(capsys, monkeypatch):
    due_job(status="DONE"), due_job(status="DONE")
    monkeypatch.setattr("inbox.management.commands.inbox_status.NEWEST", 1)
    assert status_json(capsys)["jobs"]["DONE"] == 1
    assert status_json(capsys, "--exact")["jobs"]["DONE"] == 2


def test_open_jobs_are_told_apart_by_whether_they_are_due():
    due_job(100), due_job(50), due_job(-3600), due_job(-7200, status="FAILED")
    groups = [(group.status, group.count, group.why) for group in list_open_jobs()]
    assert groups == [("FAILED", 1, "will be retried"), ("NEW", 2, "due now"), ("NEW", 1, "not yet due")]
    seen = take_snapshot()
    assert seen.due == 2
    assert seen.oldest_due_s >= 100


def test_an_old_message_that_has_just_come_is_no_old_work():
    job(**INTAKE, next_attempt_at=seconds_ago(864000))
    assert take_snapshot().oldest_due_s < 3600


def test_jobs_that_nothing_here_can_handle_are_named():
    due_job(**UNKNOWN)
    [group] = list_open_jobs()
    assert (group.has_handler, group.why) == (False, "no handler here for integration/no such type")
    assert "NO HANDLER HERE" in text()


def test_it_shows_what_waiting_jobs_wait_for(capsys):
    due_job(-60, status="WAITING", note="the packet"), due_job(-60, status="WAITING", note="the packet")
    due_job(-60, status="WAITING", note="the answer")
    assert status_json(capsys)["waiting_for"] == [
        {"what": "the packet", "count": 2},
        {"what": "the answer", "count": 1},
    ]


def test_it_shows_why_jobs_died(capsys):
    due_job(status="DEAD", last_error="bad"), due_job(status="DEAD", last_error="bad"), due_job(status="DEAD")
    assert status_json(capsys)["dead"] == [
        {"reason": "bad", "count": 2},
        {"reason": "no reason recorded", "count": 1},
    ]


def test_it_shows_who_holds_what(capsys):
    own = worker(worker_id="seen", last_seen_at=seconds_ago(5))
    worker(worker_id="silent", last_seen_at=seconds_ago(500))
    worker(state="GONE"), worker(state="STOPPED"), worker(state="STOPPED")
    due_job(status="PROCESSING", presence_id=own.pk, locked_by="seen")
    due_job(status="PROCESSING", locked_by="seen")
    due_job(status="PROCESSING", presence_id=own.pk + 1000, locked_by="forgotten")
    workers = status_json(capsys)["workers"]
    assert [(one["worker_id"], one["holds"], one["is_gone"]) for one in workers["running"]] == [
        ("seen", 2, False),
        ("silent", 0, True),
    ]
    assert workers["running"][0]["seen_s"] >= 5
    assert (workers["gone"], workers["stopped"], workers["others"]) == (1, 2, {"forgotten": 1})
    assert "LOST, last seen" in text()


def test_looking_at_the_workers_changes_nothing():
    worker(last_seen_at=seconds_ago(500))
    before = InboxWorker.objects.values().get()
    take_snapshot()
    assert InboxWorker.objects.values().get() == before


def test_it_shows_the_watermark_and_incidents(capsys):
    PollWatermark.objects.create(
        source="integration",
        last_created_at=seconds_ago(60),
        last_message_id=1,
        reconcile_finds=3,
        lookback_finds=7,
    )
    [source] = [source for source in status_json(capsys)["sources"] if source["source"] == "integration"]
    assert (source["reconcile_finds"], source["lookback_finds"]) == (3, 7)
    assert source["lag_s"] >= 60
    assert "           3  incidents: rows that only the reconcile found" in text().splitlines()


def rows_to_take_in():
    return next(source.rows_to_take_in for source in list_sources() if source.source == "integration")


def test_it_counts_the_rows_that_are_still_to_take_in():
    send(esmd(), tracking_id(1))
    assert rows_to_take_in() == 1
    drain()
    assert rows_to_take_in() == 0
    send(esmd(), tracking_id(2)), send(esmd(), tracking_id(3))
    send(esmd(), tracking_id(4), is_deleted=True)
    send(esmd(), tracking_id(5), created_at=seconds_ago(-3600))
    assert rows_to_take_in() == 2


def test_a_row_above_the_watermark_that_has_its_job_is_not_to_take_in():
    row = send(esmd(), tracking_id(1))
    job(**INTAKE, message_id=row)
    assert rows_to_take_in() == 0


def test_a_source_of_old_that_left_a_watermark_is_shown():
    PollWatermark.objects.create(source="of old")
    assert "of old" in [source.source for source in list_sources()]


# No row breaks it.


@pytest.mark.parametrize("time", ["infinity", "-infinity", "4000-01-01 BC", "20000-01-01"])
def test_times_that_no_driver_reads_are_no_trouble(capsys, time):
    for status in ("NEW", "FAILED", "WAITING", "PROCESSING", "DONE", "DEAD"):
        due_job(status=status)
    worker()
    PollWatermark.objects.create(source="integration", last_created_at=seconds_ago(9), last_message_id=1)
    send(esmd(), tracking_id(1), created_at=time)
    for column in ("next_attempt_at", "source_created_at", "created_at", "finished_at", "started_at", "updated_at"):
        sql(f"UPDATE integration_inbox SET {column} = %s", time)
    sql("UPDATE integration_inbox SET locked_at = %s WHERE status = 'PROCESSING'", time)
    sql("UPDATE inbox_worker SET last_seen_at = %s", time)
    sql("UPDATE poll_watermark SET last_created_at = %s, updated_at = %s", time, time)
    assert status_json(capsys)["jobs"]["WAITING"] == 1
    assert "WAITING" in text()
    with pytest.raises(SystemExit):
        call_command("inbox_status", "--check", "--json")
    assert read_json(capsys.readouterr().out)["is_stalled"]


def test_it_is_80_columns_wide_whatever_the_rows_say():
    long = "長い名前 " * 40
    worker(worker_id=long, command=long)
    due_job(status="DEAD", last_error=long), due_job(status="WAITING", note=long, next_attempt_at=seconds_ago(-60))
    due_job(message_type=long), due_job(status="PROCESSING", locked_by=long, locked_at=seconds_ago(9000))
    PollWatermark.objects.create(source=long, last_created_at=seconds_ago(9), last_message_id=1)
    with another_session("BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT 1"):
        lines = text(newest=1).splitlines()
    assert [line for line in lines if clip(line) != line] == []
    assert max(map(len, lines)) <= WIDTH


def test_no_text_steers_the_terminal():
    due_job(status="DEAD", last_error="\x1b[2Jgone\nnew line\x07\u202e")
    assert "gone new line" in text()
    assert not [letter for letter in text() if not letter.isprintable() and letter != "\n"]


def test_a_long_list_is_cut_and_says_so():
    for number in range(15):
        due_job(status="DEAD", last_error=f"reason {number}")
    assert "and 3 more lines (--json shows all)" in text()


def test_an_empty_inbox_is_no_trouble(capsys):
    assert status_json(capsys)["jobs"]["NEW"] == 0
    assert "oldest due job" not in text()


# The oldest transaction.


@contextmanager
def another_session(*statements):
    """A session of its own that has done `statements`; gives its pid."""
    other = connection.copy()
    other.ensure_connection()
    try:
        other.connection.autocommit = True
        for statement in statements:
            other.connection.execute(statement)
        yield other.connection.info.backend_pid
    finally:
        other.close()


def found(pid):
    """The transaction of that session, if it is the oldest of its kind. Other databases of the server may be busy."""
    return next((one for one in find_transactions().oldest if one.pid == pid), None)


@pytest.mark.parametrize(
    ("begin", "then", "holds"),
    [
        ("BEGIN", "SELECT 1", False),
        ("BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT 1", True),
        ("BEGIN", "SELECT pg_current_xact_id()", True),
    ],
)
def test_it_finds_the_oldest_transaction_and_tells_whether_it_keeps_dead_rows(monkeypatch, begin, then, holds):
    # Only this database, as others on the server may have older ones.
    monkeypatch.setattr(
        "inbox.monitoring.transactions.SELECT_OLDEST",
        SELECT_OLDEST.replace("WHERE xact_start", "WHERE datname = current_database() AND xact_start"),
    )
    with another_session(begin, then) as pid:
        assert found(pid).holds_back_cleanup is holds
    wait_until(lambda: found(pid) is None)


def test_its_own_transaction_is_not_counted(monkeypatch):
    monkeypatch.setattr(
        "inbox.monitoring.transactions.SELECT_OLDEST",
        SELECT_OLDEST.replace("WHERE xact_start", "WHERE datname = current_database() AND xact_start"),
    )
    with transaction.atomic():
        job()
        assert find_transactions().oldest == []


def test_an_old_transaction_is_a_warning_that_says_what_to_type():
    told = warnings(Transactions([open_transaction(age_s=61.0), open_transaction(age_s=59.0)]))
    [(why, do)] = told
    assert "open for 61 s (pid 4711, user op, database d, psql, idle in transaction)" in why
    assert "claims get slower" in why
    assert do == "SELECT pg_terminate_backend(4711);"


def open_transaction(**fields):
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


def test_a_transaction_that_keeps_no_rows_is_not_blamed_for_slow_claims():
    [(why, _)] = warnings(Transactions([open_transaction(holds_back_cleanup=False)]))
    assert "locks" in why
    assert "claims" not in why


def test_a_forgotten_prepared_transaction_and_a_slot_are_warnings_too():
    told = warnings(Transactions([open_transaction(pid=None, gid="it's")], slot=Slot("old standby", 200_000)))
    assert [do for _, do in told] == [
        "ROLLBACK PREPARED 'it''s';",
        "SELECT pg_drop_replication_slot('old standby');",
    ]
    assert warnings(Transactions(slot=Slot("standby", 200))) == []


@pytest.mark.django_db(transaction=False)
def test_sessions_that_may_not_be_looked_into_are_counted():
    with another_session("SELECT 1"):
        sql("CREATE ROLE inbox_test_without_rights")
        sql("SET LOCAL ROLE inbox_test_without_rights")
        hidden = find_transactions()
        assert hidden.hidden >= 1
        assert "GRANT pg_read_all_stats TO inbox_test_without_rights;" in [do for _, do in warnings(hidden)]


def test_a_warning_stands_on_the_page():
    seen = take_snapshot()
    sick = type(seen)(
        **{name: getattr(seen, name) for name in seen.__slots__} | {"transactions": Transactions([open_transaction()])}
    )
    assert "WARNING: A transaction has been open for 90 s" in page(sick, [])
    assert "  SELECT pg_terminate_backend(4711);" in page(sick, []).splitlines()


# Standing still.


def why_stalled(take=take_snapshot, **options):
    return [stall.why for stall in find_stalls(take(**options))]


def test_nothing_to_do_is_fine_even_without_a_worker():
    due_job(-60), job(**INTAKE, status="DONE")
    assert why_stalled() == []


def test_due_jobs_and_no_worker_is_a_standstill():
    due_job(), due_job()
    assert why_stalled() == ["2 jobs are due and no run_inbox_worker is running"]
    worker(command="another_command")
    worker(last_seen_at=seconds_ago(500))
    worker(state="STOPPED")
    assert len(why_stalled()) == 1
    worker()
    assert why_stalled() == []


def test_a_worker_that_shows_its_presence_is_alive_however_long_its_batch_takes():
    due_job()
    presence = Presence("worker A", "run_inbox_worker")
    InboxWorker.objects.update(last_seen_at=seconds_ago(500))
    assert why_stalled() == []
    presence.close()


def test_jobs_due_for_long_while_nothing_finishes_is_a_standstill():
    worker(), due_job(301)
    [why] = why_stalled()
    assert "none has finished for 5 min" in why
    job(**INTAKE, status="DONE", finished_at=seconds_ago(301))
    assert len(why_stalled()) == 1
    job(**INTAKE, status="DEAD", finished_at=seconds_ago(9))
    assert why_stalled() == []


def test_jobs_due_for_a_while_are_fine():
    worker(), due_job(100)
    assert why_stalled() == []


def test_it_sees_that_old_jobs_finish_behind_a_backlog_of_new_ones():
    worker()
    job(**INTAKE, status="DONE", finished_at=seconds_ago(9))
    due_job(400), due_job(400)
    assert why_stalled(newest=1) == []
    InboxJob.objects.filter(status="DONE").update(finished_at=seconds_ago(400))
    assert len(why_stalled(newest=1)) == 1


def test_a_page_asks_the_tallies_of_workers_whether_old_jobs_finish():
    me = worker()
    due_job(400), due_job(400)

    def say(minutes_ago, done):
        minute = seconds_ago(60 * minutes_ago)
        InboxTally.objects.create(minute=minute, worker_id=me.pk, done_count=done, failed_count=0, dead_count=0)

    say(30, 7), say(20, 9), say(1, 9)
    assert len(why_stalled(take_page_snapshot, newest=1)) == 1
    say(0, 10)
    assert why_stalled(take_page_snapshot, newest=1) == []


def test_a_claim_that_nobody_took_back_is_a_standstill(settings):
    worker()
    claimed = due_job(status="PROCESSING", locked_at=seconds_ago(100))
    assert why_stalled() == []
    InboxJob.objects.filter(pk=claimed.pk).update(locked_at=seconds_ago(181))
    [why] = why_stalled()
    assert "1 job has been PROCESSING for more than 3 min" in why
    settings.INBOX_STALE_AFTER = 600.0
    assert why_stalled() == []


def test_due_jobs_that_nothing_here_can_handle_are_a_standstill():
    due_job(-60, **UNKNOWN)
    assert why_stalled() == []
    due_job(**UNKNOWN)
    assert why_stalled() == ["1 job is due without a handler here: integration/no such type"]


def test_rows_that_nobody_takes_in_are_a_standstill():
    send(esmd(), tracking_id(1), created_at=seconds_ago(100))
    assert why_stalled() == []
    send(esmd(), tracking_id(2), created_at=seconds_ago(301))
    [why] = why_stalled()
    assert re.match(r"rows of integration waiting to be ingested: 2, the oldest for 5 min$", why)
    send(esmd(), tracking_id(3), created_at="-infinity")
    assert why_stalled() == ["rows of integration waiting to be ingested: 3, the oldest for an unknown time"]
    PollWatermark.objects.create(source="integration")
    assert why_stalled() == []


# The command.


@pytest.mark.parametrize(
    "options",
    [
        ["--interval", "1"],
        ["--watch", "--check"],
        ["--watch", "--interval", "0"],
        ["--watch", "--interval", "nan"],
        ["--check", "--stalled-after", "1e300"],
        ["--check", "--stalled-after", "soon"],
        ["--what"],
    ],
)
def test_a_wrong_option_is_a_short_usage_error(options):
    with pytest.raises(CommandError) as error:
        call_command("inbox_status", *options)
    assert len(str(error.value).splitlines()) == 1


def test_an_interval_without_a_watch_ends_with_2(run_command):
    code, out, err = run_command("inbox_status", "--interval", "1")
    assert (code, out) == (2, "")
    assert "--interval needs --watch" in err


def test_a_check_that_is_fine_prints_one_line_and_ends_with_0(run_command):
    code, out, err = run_command("inbox_status", "--check")
    assert (code, out, err) == (0, "fine: nothing is due; workers: 0\n", "")


def test_a_check_that_is_stalled_says_why_and_what_to_do_and_ends_with_1(run_command):
    due_job(), due_job(**UNKNOWN)
    code, out, err = run_command("inbox_status", "--check")
    assert (code, err) == (1, "")
    assert out == (
        "stalled: 1 job is due and no run_inbox_worker is running; start one: manage.py run_inbox_worker "
        "(1 more: manage.py inbox_status)\n"
    )


def test_the_limit_of_a_check_can_be_set(capsys):
    worker(), due_job(100)
    call_command("inbox_status", "--check")
    with pytest.raises(SystemExit) as stopped:
        call_command("inbox_status", "--check", "--stalled-after", "99")
    assert stopped.value.code == 1
    fine, stalled = capsys.readouterr().out.splitlines()
    assert re.match(r"fine: 1 due, the oldest for \d+ s; workers: 1$", fine)
    assert stalled.startswith("stalled: jobs have been due for ")


def test_without_its_tables_it_says_what_to_type():
    sql("ALTER TABLE inbox_worker RENAME TO inbox_worker_away")
    try:
        with pytest.raises(CommandError, match="Type: manage"):
            call_command("inbox_status")
    finally:
        sql("ALTER TABLE inbox_worker_away RENAME TO inbox_worker")


def read_until(stream, start):
    """The next line of `stream` that starts so."""
    for line in stream:
        if line.startswith(start):
            return line
    raise AssertionError(f"the stream ended without {start}")


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_watch_prints_block_after_block_until_it_is_told_to_stop(start_command, stop):
    process = start_command("inbox_status", "--watch", "--interval", "0.05")
    read_until(process.stdout, "inbox of ")
    made = due_job(**UNKNOWN)
    read_until(process.stdout, "           1  NEW")
    made.delete()
    read_until(process.stdout, "           0  NEW")
    process.send_signal(stop)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (0, "")
    assert "\x1b" not in out


def test_watch_ends_at_once_while_it_waits_for_the_next_turn(start_command):
    process = start_command("inbox_status", "--watch", "--json", "--interval", "3600")
    assert read_json(process.stdout.readline())["jobs"]["NEW"] == 0
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=10) == ("", "")
    assert process.returncode == 0


def test_watch_as_json_is_one_object_per_line(start_command):
    process = start_command("inbox_status", "--watch", "--json", "--interval", "0.05")
    assert [read_json(process.stdout.readline())["stalled"] for _ in range(3)] == [[], [], []]


def test_watch_says_that_the_connection_is_lost_and_goes_on(start_command):
    process = start_command("inbox_status", "--watch", "--json", "--interval", "0.05")
    process.stdout.readline()
    sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    assert process.stderr.readline().startswith("connection lost (")
    due_job(**UNKNOWN)
    while not read_json(process.stdout.readline())["jobs"]["NEW"]:
        pass
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 0


@pytest.mark.parametrize("options", [[], ["--json"], ["--check"], ["--watch", "--interval", "0.05"]])
def test_a_reader_that_goes_away_causes_no_traceback(start_command, options):
    process = start_command("inbox_status", *options)
    process.stdout.close()
    process.stdout = open(os.devnull)  # noqa: SIM115 for the fixture, which reads to the end
    assert process.wait(30) == 0
    assert process.stderr.read() == ""


def test_on_a_terminal_watch_clears_the_screen(command_environment):
    reader, writer = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "inbox_status", "--watch", "--interval", "0.05"],
        cwd=PROJECT,
        env=command_environment,
        stdout=writer,
        stderr=subprocess.PIPE,
    )
    shown = b""
    while shown.count(b"\x1b[H\x1b[2J") < 3:
        shown += os.read(reader, 1000)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=10) == (None, b"")
    assert process.returncode == 0
    os.close(writer), os.close(reader)
