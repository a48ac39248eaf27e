"""An audit reads each row of a table once, however the ranges fall."""

from itertools import pairwise

import pytest
from django.db import connection

from inbox.models import InboxJob
from tests.support.rows import job, seconds_ago, send
from verification.audit.check import JOBS, Keys
from verification.audit.ranges import ranges

pytestmark = pytest.mark.django_db

BY_TIME = Keys("integration_send_serviceops", "message_id", by_time=True)
BY_ANY_KEY = Keys("integration_send_serviceops", "message_id", rises=False)


def keys_in(bounds):
    return range(int(bounds["low"]) + 1, int(bounds["high"]) + 1)


@pytest.mark.parametrize("size", [1, 3, 5, 12, 50])
def test_each_job_is_in_one_range(size):
    jobs = [job().pk for _ in range(12)]
    read = list(ranges(JOBS, None, size))
    assert sum(bounds["rows"] for bounds in read) == 12
    assert max(bounds["rows"] for bounds in read) <= size
    assert all(before["high"] == after["low"] for before, after in pairwise(read))
    assert all(sum(key in keys_in(bounds) for bounds in read) == 1 for key in jobs)


@pytest.mark.parametrize("message_id", [-(2**63) + 1, -1, 0, 2**63 - 1])
def test_any_key_is_in_a_range(message_id):
    send({}, message_id=message_id)
    assert [bounds["high"] for bounds in ranges(BY_ANY_KEY, None, 50)] == [str(message_id)]


def test_ranges_by_time_follow_the_time_and_reach_times_that_python_has_none_for():
    times = ["'-infinity'", "'4000-01-01 BC'", "now()", "now()", "'20000-01-01'", "'infinity'"]
    with connection.cursor() as cursor:
        for number, time in enumerate(times):
            cursor.execute(
                "INSERT INTO integration_send_serviceops (message_id, payload, created_at)"
                f" VALUES (%s, '{{}}', {time}::timestamptz)",
                [100 - number],
            )
    highest = [int(bounds["high"]) for bounds in ranges(BY_TIME, None, 1)]
    assert highest == [100, 99, 97, 98, 96, 95]


def test_since_begins_at_the_first_key_that_may_have_been_made_since():
    old = [job(created_at=seconds_ago(90_000 - number)).pk for number in range(20)]
    new = [job().pk for _ in range(3)]
    read = [key for bounds in ranges(JOBS, seconds_ago(60), 2) for key in keys_in(bounds)]
    assert set(new) <= set(read)
    assert len(set(read) & set(old)) <= 2


def test_an_empty_table_has_no_range():
    assert not InboxJob.objects.exists()
    assert list(ranges(JOBS, None)) == list(ranges(JOBS, seconds_ago(60))) == []
