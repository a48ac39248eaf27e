"""The command inbox_status: its options and exit codes, and that no reader breaks it."""

import os
import pty
import re
import signal
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command

from tests.support.project import PROJECT
from tests.support.status import UNKNOWN, due_job, read_json, sql, worker

pytestmark = pytest.mark.django_db(transaction=True)


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
