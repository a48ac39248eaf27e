"""Counts of jobs by how their attempts ended."""

import pytest

from inbox.job_counts import NO_JOBS, JobCounts


def test_statuses_are_counted_by_what_they_mean():
    counts = JobCounts.of(["DONE", "DONE", "FAILED", "WAITING", "DEAD", "NEW"])
    assert counts == JobCounts(done=2, failed=1, waiting=1, dead=1, given_back=1)


def test_a_status_that_does_not_exist_is_an_error():
    with pytest.raises(KeyError):
        JobCounts.of(["LOST"])


def test_counts_add_up():
    assert JobCounts(done=1, lost=2) + JobCounts(done=3, dead=4) == JobCounts(done=4, dead=4, lost=2)


def test_only_jobs_that_ended_an_attempt_are_attempted():
    counts = JobCounts(done=1, failed=2, waiting=4, dead=8, given_back=16, lost=32)
    assert (counts.attempted, counts.total) == (15, 63)


def test_a_log_line_shows_no_zeros():
    assert JobCounts(done=3, lost=1).shown() == {"done": 3, "lost": 1}


def test_no_jobs_are_false():
    assert not NO_JOBS
    assert JobCounts(lost=1)
