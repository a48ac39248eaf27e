"""The database's clock has gone back and no worker has noticed: the status tells, and sees the rows that wait."""

import pytest

from inbox.models import PollWatermark
from inbox.monitoring.diagnosis import find_stalls
from inbox.monitoring.snapshot import take_snapshot
from inbox.monitoring.text_report import page
from tests.support.rows import esmd, job, seconds_ago, send, tracking_id
from tests.support.status import INTAKE, due_job, worker

pytestmark = pytest.mark.django_db(transaction=True)


def mark_ahead(seconds):
    PollWatermark.objects.update_or_create(
        source="integration",
        defaults={
            "last_created_at": seconds_ago(-seconds),
            "last_message_id": 1,
            "updated_at": seconds_ago(-seconds),
            "next_lookback_at": seconds_ago(-seconds),
        },
    )


def integration():
    return next(source for source in take_snapshot().sources if source.source == "integration")


def test_rows_below_a_watermark_ahead_of_the_clock_wait_and_are_a_standstill():
    mark_ahead(1200)
    send(esmd(), tracking_id(1), created_at=seconds_ago(400))
    send(esmd(), tracking_id(2), created_at=seconds_ago(10))
    # This one is from before the clock went back, and nobody can say yet that it waits.
    send(esmd(), tracking_id(3), created_at=seconds_ago(-600))
    assert integration().rows_to_take_in == 2
    [stall] = find_stalls(take_snapshot())
    assert stall.why.startswith("rows of integration waiting to be ingested: 2, the oldest for ")


def test_a_watermark_ahead_of_the_clock_is_a_warning_and_one_a_moment_ahead_is_none():
    mark_ahead(1200)
    [warning] = take_snapshot().warnings
    assert warning[0].startswith("The watermark of integration lies 20 min ahead of the database's clock")
    assert "lies 20 min ahead" in page(take_snapshot(), []).replace("\n  ", " ").replace("\n", " ")
    mark_ahead(0.5)
    assert take_snapshot().warnings == []


def test_what_finished_in_the_future_does_not_hide_that_nothing_finishes():
    worker(), due_job(400)
    job(**INTAKE, status="DONE", finished_at=seconds_ago(-1000))
    [stall] = find_stalls(take_snapshot())
    assert "none has finished for 5 min" in stall.why
