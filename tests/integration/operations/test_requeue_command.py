"""The command requeue_jobs: how it chooses, what it says, and that a signal ends it between two batches."""

import json
import signal
from contextlib import contextmanager

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from inbox.models import InboxAudit, InboxJob
from inbox.statuses import Status
from tests.support.probe import lock_waiters, wait_until
from tests.support.requeues import REASON, dead_jobs, status_of
from tests.support.rows import job, tracking_id

pytestmark = pytest.mark.django_db(transaction=True)


def requeue_jobs(*arguments):
    call_command("requeue_jobs", *map(str, arguments), "--reason", REASON)


def test_it_chooses_by_id(capsys):
    first, second, other = dead_jobs(3)
    requeue_jobs("--id", first, second)
    assert capsys.readouterr().out == "2 requeued\n"
    assert set(InboxJob.objects.filter(status="NEW").values_list("pk", flat=True)) == {first, second}


def test_it_chooses_by_tracking_id_message_type_source_and_status():
    wanted = {"decision_tracking_id": tracking_id(1), "message_type": "intake", "source": "a", "status": "DEAD"}
    chosen = job(**wanted)
    others = [
        job(**wanted | other)
        for other in (
            {"decision_tracking_id": tracking_id(2)},
            {"message_type": "utn_fail"},
            {"source": "b"},
            {"status": "FAILED"},
        )
    ]
    requeue_jobs("--tracking-id", tracking_id(1), "--message-type", "intake", "--source", "a", "--status", "dead")
    assert status_of(chosen) == "NEW"
    assert "NEW" not in [status_of(other) for other in others]


@pytest.mark.parametrize(
    ("text", "error", "is_chosen"),
    [
        ("timed OUT", "the call Timed out after 3 s", True),
        ("100%", "it is 100% full", True),
        ("100%", "it is 1000 full", False),
        ("a_b", "a_b", True),
        ("a_b", "axb", False),
        ("a\\b", "a\\b", True),
        ("%", "no such sign", False),
    ],
)
def test_it_chooses_by_a_part_of_the_last_error(text, error, is_chosen):
    made = job(status="DEAD", last_error=error)
    requeue_jobs("--error-text", text)
    assert (status_of(made) == "NEW") == is_chosen


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ([], "choose jobs by"),
        (["--status", "DEAD"], "choose jobs by"),
        (["--source", "test"], "choose jobs by"),
        (["--id", "0"], "must be an inbox id"),
        (["--id", "9" * 20], "must be an inbox id"),
        (["--tracking-id", "7"], "invalid UUID value"),
        (["--error-text", " "], "must be readable text that is not blank"),
        (["--message-type", "\udcff"], "must be readable text that is not blank"),
        (["--id", "1", "--status", "DONE"], "invalid choice"),
    ],
)
def test_a_wrong_choice_is_refused(arguments, error):
    made = job(status="DEAD")
    with pytest.raises(CommandError, match=error):
        requeue_jobs(*arguments)
    assert status_of(made) == "DEAD"


@pytest.mark.parametrize("reason", [[], ["--reason", " "]])
def test_without_a_reason_it_is_a_usage_error(run_command, reason):
    made = job(status="DEAD")
    code, out, err = run_command("requeue_jobs", "--id", str(made.pk), *reason)
    assert (code, out) == (2, "")
    assert "--reason" in err
    assert status_of(made) == "DEAD"


def test_without_a_choice_it_is_a_usage_error(run_command):
    code, out, err = run_command("requeue_jobs", "--reason", REASON)
    assert (code, out) == (2, "")
    assert "choose jobs by" in err


def test_an_id_that_is_done_or_unknown_is_named_and_nothing_is_changed(run_command):
    dead, done = job(status="DEAD"), job(status="DONE")
    code, out, err = run_command(
        "requeue_jobs", "--id", str(dead.pk), str(done.pk), "--id", "999999999", "--reason", REASON
    )
    assert (code, out) == (1, "")
    assert f"job {done.pk} is DONE, and DONE is final" in err
    assert "there is no job 999999999" in err
    assert "Nothing was changed" in err
    assert status_of(dead) == "DEAD"


def test_it_says_why_a_named_job_was_not_requeued(capsys):
    new, held, other = job(), job(status="PROCESSING"), job(status="FAILED")
    requeue_jobs("--id", new.pk, held.pk, other.pk, "--status", "DEAD")
    out, err = capsys.readouterr()
    assert out == "0 requeued\n"
    assert f"job {new.pk} is NEW already" in err
    assert f"job {held.pk} is PROCESSING, a worker has it: skipped" in err
    assert f"job {other.pk} does not match the other options" in err


def test_it_names_the_jobs_that_were_in_use(run_command):
    made = job(status="DEAD")
    with transaction.atomic():
        list(InboxJob.objects.select_for_update())
        code, out, err = run_command("requeue_jobs", "--id", str(made.pk), "--reason", REASON, "--json")
    assert (code, json.loads(out)) == (0, {"requeued": 0, "left_alone": [made.pk]})
    assert f"job {made.pk} was in use: skipped" in err


def test_a_dry_run_counts_and_changes_nothing(capsys):
    made, _ = job(status="DEAD", message_type="intake"), job(status="FAILED", message_type="intake")
    requeue_jobs("--message-type", "intake", "--dry-run")
    requeue_jobs("--message-type", "intake", "--dry-run", "--json")
    text, data = capsys.readouterr().out.splitlines()
    assert text == "2 would be requeued: 1 DEAD, 1 FAILED"
    assert json.loads(data) == {"would_be_requeued": 2, "by_status": {"DEAD": 1, "FAILED": 1}}
    assert status_of(made) == "DEAD"
    assert not InboxAudit.objects.exists()


def test_the_entry_says_who_and_why(run_command):
    made = job(status="DEAD")
    code, out, err = run_command("requeue_jobs", "--id", str(made.pk), "--reason", REASON)
    assert (code, out) == (0, "1 requeued\n")
    [line] = err.splitlines()
    assert "operator changed jobs; verb: requeue; who: " in line
    assert line.endswith("; count: 1")
    entry = InboxAudit.objects.get()
    assert (entry.reason, entry.who.count("@")) == (REASON, 1)
    InboxJob.objects.update(status="DEAD")
    requeue_jobs("--id", made.pk, "--who", "a person")
    assert InboxAudit.objects.filter(who="a person").count() == 1


@contextmanager
def held_at_its_first_entry(start_command):
    """A requeue of 1,200 jobs that waits, in its first batch, for a lock on the audit until the block ends."""
    dead_jobs(1200)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE inbox_audit IN EXCLUSIVE MODE")
        process = start_command("requeue_jobs", "--message-type", "probe", "--reason", REASON)
        wait_until(lock_waiters)
        yield process


def test_sigterm_ends_it_after_the_batch_and_a_second_run_does_the_rest(start_command, run_command):
    with held_at_its_first_entry(start_command) as process:
        process.send_signal(signal.SIGTERM)
        assert "Stopping after the batch" in process.stderr.readline()
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (1, "500 requeued\n")
    assert "run it again for the rest" in err
    assert InboxAudit.objects.count() == InboxJob.objects.filter(status=Status.NEW).count() == 500
    code, out, err = run_command("requeue_jobs", "--message-type", "probe", "--reason", REASON)
    assert (code, out) == (0, "700 requeued\n")
    assert InboxAudit.objects.count() == 1200


def test_a_kill_in_the_middle_of_a_batch_leaves_neither_a_move_nor_an_entry(start_command):
    with held_at_its_first_entry(start_command) as process:
        process.kill()
        process.wait()
    wait_until(lambda: not sessions_of_others())
    assert set(InboxJob.objects.values_list("status")) == {("DEAD",)}
    assert not InboxAudit.objects.exists()


def sessions_of_others():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        return cursor.fetchall()
