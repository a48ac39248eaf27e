"""A reclaimer that dies at any line of its work leaves nothing half done, and the next one finishes it."""

import os
import sys
import traceback
from unittest.mock import patch
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction

from inbox.engine import reclaim
from inbox.job_counts import NO_JOBS
from inbox.models import InboxJob, InboxWorker
from inbox.worker import liveness
from tests.support.probe import wait_until
from tests.support.rows import seconds_ago
from tests.support.workers import wait_for_the_end_of_grace

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]

FILES = {reclaim.__file__, liveness.__file__}
DIED = 86
OWN_LEASE = UUID(int=1)
HELD = {
    "message_type": "probe",
    "message_id": 1,
    "status": "PROCESSING",
    "attempt_count": 1,
    "locked_by": "gone",
    "lease_id": UUID(int=2),
}
# Each job before: whose it is, if that matters; how often it was tried, if not once; and whether it was alone.
JOBS = {
    "shared": {"presence_id": 1, "attempt_count": 3},
    "shared too": {"presence_id": 1},
    "alone": {"presence_id": 1, "attempt_count": 2, "runs_alone": True},
    "at its last attempt": {"presence_id": 1, "attempt_count": 5, "runs_alone": True},
    "old": {},
    "old and alone": {"runs_alone": True},
    "own": {"lease_id": OWN_LEASE},
    "own and alone": {"lease_id": OWN_LEASE, "runs_alone": True},
}
# Each after: status, attempts, errors, whether it runs alone, has to wait, and has ended.
FREE = ("NEW", 0, 0, True, False, False)
AFTER = {
    "shared": ("NEW", 2, 0, True, False, False),
    "shared too": FREE,
    "alone": ("FAILED", 2, 1, True, True, False),
    "at its last attempt": ("DEAD", 5, 1, True, True, True),
    "old": FREE,
    "old and alone": ("FAILED", 1, 1, True, True, False),
    "own": FREE,
    "own and alone": ("FAILED", 1, 1, True, True, False),
}


@pytest.fixture(autouse=True)
def quick_commits(transactional_db):
    """None of this is about a server that crashes."""
    options = connection.settings_dict["OPTIONS"]
    with patch.dict(options, options=f"{options['options']} -c synchronous_commit=off"):
        connection.close()
        yield
    connection.close()


@transaction.atomic
def set_up():
    InboxJob.objects.all().delete()
    InboxWorker.objects.all().delete()
    names = {"worker_id": "gone", "command": "test", "host": "here", "pid": 1}
    InboxWorker.objects.create(pk=1, instance_id=uuid4(), has_presence=True, **names)
    InboxJob.objects.bulk_create(
        # From the future, which is as stale as old: what is older than the server is blamed on the server.
        InboxJob(source=name, locked_at=seconds_ago(-500 if "old" in name else 0), **HELD | fields)
        for name, fields in JOBS.items()
    )


def take_everything_back():
    """Reclaim as a worker does: from gone workers, by age, and its own jobs after a lost connection."""
    limits = {"max_attempts": 5, "batch_size": 3}
    liveness.reclaim_from_gone(liveness.find_gone(None, NO_JOBS), **limits)
    reclaim.reclaim_all_stale(stale_after_s=120, **limits)
    reclaim.reclaim_own(OWN_LEASE, list(InboxJob.objects.values_list("pk", flat=True)))


def state():
    """The columns of each job that AFTER names."""
    return {
        job.source: (
            job.status,
            job.attempt_count,
            len(job.errors),
            job.runs_alone,
            job.next_attempt_at > job.updated_at,
            job.finished_at is not None,
        )
        for job in InboxJob.objects.all()
    }


def is_on_the_roll():
    return InboxWorker.objects.filter(state="RUNNING").exists()


def dies_at(line):
    """Take everything back in a process that ends at the `line`-th line it executes; False if it came to its end."""
    # A child must not use its parent's connection, nor end it.
    connection.close()
    child = os.fork()
    if child == 0:
        try:
            sys.settrace(tracer(line))
            take_everything_back()
            os._exit(0)
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
            sys.__stderr__.flush()
        finally:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, DIED)
    wait_until(is_only_session)
    return code == DIED


def tracer(lines_left):
    def trace(frame, event, argument):
        nonlocal lines_left
        if frame.f_code.co_filename not in FILES:
            return None
        lines_left -= event == "line"
        if lines_left == 0:
            os._exit(DIED)
        return trace

    return trace


def is_only_session():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND backend_type = 'client backend'"
        )
        return cursor.fetchone() == (1,)


def test_a_reclaimer_that_dies_at_any_line_leaves_each_job_as_it_was_or_as_it_should_be(settings):
    wait_for_the_end_of_grace()
    settings.INBOX_BACKOFF = (60.0,)  # each step of it would be one more line to die at
    set_up()
    before = state()
    ways_to_end = []
    line = 1
    while dies_at(line):
        left, is_on_roll = state(), is_on_the_roll()
        assert [name for name in JOBS if left[name] not in (before[name], AFTER[name])] == [], f"died at line {line}"
        if not is_on_roll:
            assert not InboxJob.objects.filter(status="PROCESSING", presence_id=1).exists(), f"died at line {line}"
        # Most lines change nothing; the next reclaimer then finds what it has found before.
        if (left, is_on_roll) not in ways_to_end:
            ways_to_end.append((left, is_on_roll))
            take_everything_back()
            assert (state(), is_on_the_roll()) == (AFTER, False), f"died at line {line}"
        set_up()
        line += 1
    assert (state(), is_on_the_roll()) == (AFTER, False)
    # Before, after two batches of the gone, marked GONE, with the old ones, and with its own.
    assert (len(ways_to_end), line > 60) == (6, True)
