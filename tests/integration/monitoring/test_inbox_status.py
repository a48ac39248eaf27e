"""inbox_status: what it shows, and that no row breaks it."""

import pytest
from django.core.management import call_command

from inbox.models import InboxWorker, PollWatermark
from inbox.monitoring.ended_jobs import count_ended, dead_by_reason
from inbox.monitoring.open_jobs import list_open_jobs
from inbox.monitoring.snapshot import take_snapshot
from inbox.monitoring.sources import list_sources
from inbox.monitoring.terminal import WIDTH, clip
from inbox.monitoring.text_report import page
from tests.support.drain import drain
from tests.support.rows import esmd, job, seconds_ago, send, tracking_id
from tests.support.status import INTAKE, UNKNOWN, another_session, due_job, read_json, sql, status_json, text, worker

pytestmark = pytest.mark.django_db(transaction=True)


# Its content.


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


def test_it_counts_the_rows_that_are_still_to_be_ingested():
    send(esmd(), tracking_id(1))
    assert rows_to_take_in() == 1
    drain()
    assert rows_to_take_in() == 0
    send(esmd(), tracking_id(2)), send(esmd(), tracking_id(3))
    send(esmd(), tracking_id(4), is_deleted=True)
    send(esmd(), tracking_id(5), created_at=seconds_ago(-3600))
    assert rows_to_take_in() == 2


def test_a_row_above_the_watermark_that_has_its_job_is_not_counted_as_to_be_ingested():
    row = send(esmd(), tracking_id(1), created_at=(now := seconds_ago(0)))
    job(**INTAKE, message_id=row, source_created_at=now)
    assert rows_to_take_in() == 0


def test_a_former_source_that_left_a_watermark_is_shown():
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
