"""Requeue: DEAD, FAILED and WAITING jobs begin anew, each with an entry in the audit, and nobody else's job moves."""

import json
import signal
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from inbox.models import InboxAudit, InboxJob
from inbox.operations import operation
from inbox.operations.batches import apply_in_batches
from inbox.operations.operation import apply
from inbox.operations.verbs import REQUEUE
from inbox.statuses import Status
from tests.support.probe import claim_all, in_threads, lock_waiters, probe_source, wait_until
from tests.support.rows import job, seconds_ago, tracking_id

pytestmark = pytest.mark.django_db(transaction=True)

LATER = seconds_ago(-3600)
REASON = "the other side is up again"


def requeued(jobs=None, limit=500):
    jobs = InboxJob.objects.all() if jobs is None else jobs
    return apply(REQUEUE, jobs, who="op@host", reason=REASON, limit=limit)


def requeued_all(batch_size=500):
    jobs = InboxJob.objects.all()
    return list(apply_in_batches(REQUEUE, jobs, who="op@host", reason=REASON, batch_size=batch_size))


def status_of(made):
    return InboxJob.objects.get(pk=made.pk).status


def dead_jobs(count, **fields):
    """Returns their keys in order."""
    dead = {"source": "test", "message_type": "probe", "status": "DEAD", "last_error": "broken", "attempt_count": 5}
    made = [InboxJob(message_id=number, **dead | fields) for number in range(1, count + 1)]
    return [created.pk for created in InboxJob.objects.bulk_create(made)]


@pytest.mark.parametrize("status", ["DEAD", "FAILED", "WAITING"])
def test_a_job_begins_anew_and_keeps_its_history(status):
    history = [{"attempt": 1, "kind": "ValueError", "message": "broken"}]
    made = job(
        status=status,
        attempt_count=5,
        next_attempt_at=LATER,
        waiting_since=seconds_ago(60),
        finished_at=seconds_ago(10),
        finished_by="worker A",
        error_kind="ValueError",
        last_error="broken",
        errors=history,
        note="the thing",
        runs_alone=True,
    )
    assert requeued() == [made.pk]
    made.refresh_from_db()
    assert (made.status, made.attempt_count, made.waiting_since, made.note) == ("NEW", 0, None, None)
    assert (made.finished_at, made.finished_by) == (None, None)
    assert made.next_attempt_at < LATER
    assert (made.errors, made.error_kind, made.last_error) == (history, "ValueError", "broken")
    assert made.runs_alone


@pytest.mark.parametrize("status", ["NEW", "PROCESSING", "DONE"])
def test_a_job_of_another_status_stays_as_it_is(status):
    made = job(status=status, attempt_count=2)
    assert requeued() == []
    made.refresh_from_db()
    assert (made.status, made.attempt_count) == (status, 2)
    assert not InboxAudit.objects.exists()


def test_each_job_leaves_one_entry_with_facts_of_its_status_only():
    made = job(status="DEAD", attempt_count=5, error_kind="BadMessage", last_error="a secret", note="a secret")
    requeued()
    entry = InboxAudit.objects.get()
    made.refresh_from_db()
    assert (entry.object, entry.verb, entry.who, entry.reason) == (f"job:{made.pk}", "requeue", "op@host", REASON)
    assert entry.before == {"status": "DEAD", "attempt_count": 5, "error_kind": "BadMessage"} | {
        "next_attempt_at": entry.before["next_attempt_at"]
    }
    assert entry.after == {"status": "NEW", "attempt_count": 0, "error_kind": "BadMessage"} | {
        "next_attempt_at": entry.after["next_attempt_at"]
    }
    assert datetime.fromisoformat(entry.after["next_attempt_at"]).astimezone(UTC) == made.next_attempt_at


def test_a_job_that_was_never_to_be_tried_again_comes_back():
    made = job(status="FAILED")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE integration_inbox SET next_attempt_at = 'infinity'")
    assert requeued() == [made.pk]
    assert InboxAudit.objects.get().before["next_attempt_at"] == "infinity"


def test_a_second_run_changes_nothing():
    made = job(status="DEAD")
    requeued()
    before = InboxJob.objects.values().get(pk=made.pk)
    assert requeued() == []
    assert InboxJob.objects.values().get(pk=made.pk) == before
    assert InboxAudit.objects.count() == 1


def test_a_requeue_that_is_rolled_back_leaves_no_entry():
    made = job(status="DEAD")
    with transaction.atomic():
        assert requeued() == [made.pk]
        transaction.set_rollback(True)
    assert status_of(made) == "DEAD"
    assert not InboxAudit.objects.exists()


def test_without_its_entry_no_job_moves(monkeypatch):
    made = job(status="DEAD")

    def breaks(*args, **kwargs):
        raise RuntimeError("the audit is broken")

    monkeypatch.setattr(operation, "record", breaks)
    with pytest.raises(RuntimeError):
        requeued()
    assert status_of(made) == "DEAD"


def test_the_door_out_of_dead_is_closed_again_in_the_same_transaction():
    taken, other = job(status="DEAD"), job(status="DEAD")
    with transaction.atomic():
        requeued(InboxJob.objects.filter(pk=taken.pk))
        with pytest.raises(IntegrityError, match="may not move from DEAD to NEW"), transaction.atomic():
            InboxJob.objects.filter(pk=other.pk).update(status="NEW")
    assert (status_of(taken), status_of(other)) == ("NEW", "DEAD")


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_a_requeue_needs_a_reason(reason):
    made = job(status="DEAD")
    with pytest.raises(ValueError, match="reason"):
        apply(REQUEUE, InboxJob.objects.all(), who="op", reason=reason, limit=1)
    assert status_of(made) == "DEAD"


def test_a_job_that_is_being_claimed_is_left_alone_and_reported():
    claimed = job(status="FAILED", next_attempt_at=seconds_ago(9))
    free = job(status="FAILED", next_attempt_at=LATER)
    with transaction.atomic():
        claim_all(probe_source(), limit=1)
        [[batch]] = in_threads(requeued_all)
    assert (batch.inbox_ids, batch.left_alone) == ([free.pk], [claimed.pk])
    assert (status_of(claimed), status_of(free)) == ("PROCESSING", "NEW")
    assert InboxAudit.objects.get().object == f"job:{free.pk}"


def test_a_job_that_was_claimed_a_moment_before_is_left_alone(monkeypatch):
    """It is chosen, then another session claims it and commits, then this one locks what is left."""
    made = job(status="FAILED", next_attempt_at=seconds_ago(9))
    lock_keys = InboxJob.objects.all().__class__.lock_keys

    def late(jobs, limit=None):
        in_threads(lambda: claim_all(probe_source()))
        return lock_keys(jobs, limit)

    monkeypatch.setattr(InboxJob.objects.all().__class__, "lock_keys", late)
    [batch] = requeued_all()
    assert (batch.inbox_ids, batch.left_alone) == ([], [made.pk])
    assert status_of(made) == "PROCESSING"


def test_two_requeues_at_once_take_each_job_once():
    dead_jobs(300)
    results = in_threads(*[lambda: requeued_all(batch_size=20)] * 2)
    assert sum(len(batch.inbox_ids) for batches in results for batch in batches) == 300
    assert set(InboxJob.objects.values_list("status")) == {("NEW",)}
    objects = InboxAudit.objects.values_list("object", flat=True)
    assert (len(objects), len(set(objects))) == (300, 300)


def test_requeue_and_claim_at_once_never_take_the_same_job():
    dead_jobs(300, status="FAILED", attempt_count=1)

    def claims():
        while claim_all(probe_source(), limit=20):
            pass

    in_threads(claims, lambda: requeued_all(batch_size=20))
    attempts = InboxJob.objects.values_list("status", "attempt_count")
    # A claim adds one to what it found: 1 for a job that was requeued before, 2 for one that was not.
    assert set(attempts) <= {("PROCESSING", 1), ("PROCESSING", 2), ("NEW", 0)}
    audited = set(InboxAudit.objects.values_list("object", flat=True))
    began_anew = InboxJob.objects.filter(attempt_count__lt=2).values_list("pk", flat=True)
    assert audited == {f"job:{key}" for key in began_anew}
    assert set(InboxAudit.objects.values_list("before__status", flat=True)) <= {"FAILED"}


def test_it_goes_in_batches_that_are_transactions_of_their_own():
    keys = dead_jobs(7)
    batches = apply_in_batches(REQUEUE, InboxJob.objects.all(), who="op", reason=REASON, batch_size=3)
    assert next(batches).inbox_ids == keys[:3]
    assert in_threads(lambda: InboxJob.objects.filter(status="NEW").count()) == [3]
    assert [batch.inbox_ids for batch in batches] == [keys[3:6], keys[6:]]


def test_a_job_that_dies_again_meanwhile_is_not_requeued_for_ever():
    first, *others = dead_jobs(4)
    batches = apply_in_batches(REQUEUE, InboxJob.objects.all(), who="op", reason=REASON, batch_size=2)
    next(batches)
    InboxJob.objects.filter(pk=first).update(status="DEAD")
    newer = job(status="DEAD")
    assert [key for batch in batches for key in batch.inbox_ids] == others[1:]
    assert (InboxJob.objects.get(pk=first).status, status_of(newer)) == ("DEAD", "DEAD")


def test_idle_workers_hear_of_it_when_it_commits():
    job(status="DEAD")
    listener = connection.copy()
    listener.ensure_connection()
    try:
        listener.connection.autocommit = True
        listener.connection.execute("LISTEN inbox")
        requeued()
        assert list(listener.connection.notifies(timeout=10, stop_after=1))
    finally:
        listener.close()


# The command.


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
        (["--id", "0"], "invalid inbox id value"),
        (["--id", "9" * 20], "invalid inbox id value"),
        (["--tracking-id", "7"], "invalid UUID value"),
        (["--error-text", " "], "invalid text value"),
        (["--message-type", "\udcff"], "invalid text value"),
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
