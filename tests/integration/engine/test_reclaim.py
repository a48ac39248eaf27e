"""Jobs of workers that are gone come back, and the job that kills workers is found."""

import pytest
from django.core.management import call_command
from django.db import transaction

from inbox.engine.reclaim import count_stale, reclaim_all_stale, reclaim_stale
from inbox.engine.work import work
from inbox.job_counts import NO_JOBS, JobCounts
from inbox.models import InboxJob
from tests.support.probe import claim_all, in_threads, make_witness_table, many_jobs, probe_source
from tests.support.rows import job, seconds_ago

pytestmark = pytest.mark.django_db(transaction=True)


def reclaim_once(limit=500, stale_after_s=120):
    return reclaim_stale(stale_after_s=stale_after_s, max_attempts=5, limit=limit)


def test_a_stale_claim_goes_back_with_its_attempt_and_runs_alone_from_now_on():
    stale = job(status="PROCESSING", locked_at=seconds_ago(121), attempt_count=2)
    fresh = job(status="PROCESSING", locked_at=seconds_ago(60))
    assert reclaim_once() == JobCounts(given_back=1)
    stale.refresh_from_db()
    fresh.refresh_from_db()
    assert (stale.status, stale.attempt_count, stale.runs_alone, stale.locked_by) == ("NEW", 1, True, None)
    assert fresh.status == "PROCESSING"


def test_a_job_that_was_alone_keeps_its_attempt_and_is_tried_later():
    # Claimed now: a claim from before the start of the server would blame nobody.
    alone = job(status="PROCESSING", attempt_count=2, runs_alone=True, locked_by="late")
    assert reclaim_once(stale_after_s=0) == JobCounts(failed=1)
    alone.refresh_from_db()
    assert (alone.status, alone.attempt_count, alone.error_kind) == ("FAILED", 2, "WorkerLost")
    [entry] = alone.errors
    assert (entry["attempt"], entry["worker"], entry["kind"]) == (2, "late", "WorkerLost")
    assert 299 <= (alone.next_attempt_at - alone.updated_at).total_seconds() <= 361


def test_a_job_that_kills_its_worker_again_and_again_is_dead_after_the_last_attempt():
    killer = job(status="PROCESSING", attempt_count=5, runs_alone=True)
    assert reclaim_once(stale_after_s=0) == JobCounts(dead=1)
    killer.refresh_from_db()
    assert (killer.status, killer.error_kind) == ("DEAD", "WorkerLost")
    assert killer.finished_at is not None


def test_jobs_that_run_alone_are_claimed_one_by_one_and_the_others_together():
    make_witness_table()
    alone = job(runs_alone=True, next_attempt_at=seconds_ago(10))
    also_alone = job(runs_alone=True, next_attempt_at=seconds_ago(8))
    others = [job(next_attempt_at=seconds_ago(9)).pk, job(next_attempt_at=seconds_ago(7)).pk]
    taken = []
    while held := claim_all(probe_source()):
        taken.append(held.inbox_ids["probe"])
        work(held)
    assert taken == [[alone.pk], others, [also_alone.pk]]


def test_a_row_that_its_handler_has_locked_is_left_alone():
    job(status="PROCESSING", locked_at=seconds_ago(500))
    with transaction.atomic():
        list(InboxJob.objects.select_for_update())
        assert in_threads(reclaim_once) == [NO_JOBS]
    assert reclaim_once() == JobCounts(given_back=1)


def test_many_reclaimers_at_once_reclaim_each_job_once():
    many_jobs(300)
    claim_all(probe_source(), limit=300)
    InboxJob.objects.update(locked_at=seconds_ago(500))
    results = in_threads(
        *[lambda: reclaim_all_stale(stale_after_s=120, max_attempts=5, batch_size=20) for _ in range(4)]
    )
    assert sum(counts.given_back for counts in results) == 300
    assert set(InboxJob.objects.values_list("status", "attempt_count")) == {("NEW", 0)}


def test_a_dry_run_counts_and_changes_nothing(capsys):
    job(status="PROCESSING", locked_at=seconds_ago(500))
    call_command("reclaim_stuck_jobs", "--dry-run", "--json")
    assert capsys.readouterr().out == '{"stale": 1}\n'
    assert count_stale(120) == 1


def test_one_pass_says_what_it_did(capsys):
    job(status="PROCESSING", locked_at=seconds_ago(500))
    call_command("reclaim_stuck_jobs")
    assert capsys.readouterr().out == "1 reclaimed, 0 to be retried, 0 dead\n"


def test_the_loop_reclaims_until_it_is_stopped(start_command):
    import signal

    from tests.support.probe import wait_until

    process = start_command("reclaim_stuck_jobs", "--loop", "--interval", "0.05")
    first = job(status="PROCESSING", locked_at=seconds_ago(500))
    wait_until(lambda: InboxJob.objects.filter(pk=first.pk, status="NEW").exists())
    second = job(status="PROCESSING", locked_at=seconds_ago(500))
    wait_until(lambda: InboxJob.objects.filter(pk=second.pk, status="NEW").exists())
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
