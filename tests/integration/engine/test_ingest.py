"""Every source row becomes a job exactly once, whenever it commits and whatever it holds."""

import threading

import pytest
from django.db import connection, transaction

from inbox.engine.ingest import SELECT_ROWS_ABOVE_WATERMARK, ingest, statement
from inbox.engine.sweeps.sweep import sweep
from inbox.engine.sweeps.turn import SweepKind, take_turn
from inbox.models import InboxJob, PollWatermark
from inbox.worker.ingester import Ingester
from tests.support.drain import swept
from tests.support.probe import in_threads, lock_waiters, probe_source, wait_until
from tests.support.rows import seconds_ago, send

pytestmark = pytest.mark.django_db(transaction=True)

SOURCE = probe_source()


def watermark():
    mark = PollWatermark.objects.get(source="test")
    return mark.last_created_at, mark.last_message_id


def messages_with_a_job():
    return sorted(InboxJob.objects.values_list("message_id", flat=True))


def created_at(message_id):
    with connection.cursor() as cursor:
        cursor.execute("SELECT created_at FROM integration_send_serviceops WHERE message_id = %s", [message_id])
        return cursor.fetchone()[0]


def test_a_plain_insert_becomes_a_job_with_the_rows_own_values():
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO integration_send_serviceops (decision_tracking_id, payload)"
            " VALUES ('00000000-0000-4000-8000-000000000001', '{}') RETURNING message_id"
        )
        [message_id] = cursor.fetchone()
    assert ingest(SOURCE).count == 1
    made = InboxJob.objects.get()
    assert (made.message_id, made.revision, made.status, made.attempt_count) == (message_id, 1, "NEW", 0)
    assert str(made.decision_tracking_id) == "00000000-0000-4000-8000-000000000001"
    assert made.source_created_at == made.next_attempt_at == created_at(message_id)
    assert watermark() == (created_at(message_id), message_id)


def test_the_same_message_inserted_50_times_from_8_threads_is_one_job():
    send({})
    made = in_threads(*[ingest_50_times] * 8)
    assert sum(made) == 1
    assert InboxJob.objects.count() == 1


def ingest_50_times():
    with connection.cursor() as cursor:
        # The queue for the watermark is long here, and a busy machine slow.
        cursor.execute("SET lock_timeout = '60s'")
    return sum(ingest(SOURCE).count for _ in range(50))


def test_jobs_stay_unique_even_without_the_anti_join():
    """The unique key is the truth; the anti-join only saves work."""
    send({})
    ingest(SOURCE)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO integration_inbox (source, message_id, message_type) SELECT 'test', message_id, 'probe'"
            "  FROM integration_inbox ON CONFLICT DO NOTHING"
        )
        assert cursor.rowcount == 0


def test_a_second_ingest_waits_for_the_first_and_finds_nothing_left():
    for _ in range(10):
        send({})
    PollWatermark.objects.create(source="test")
    counts = []
    with transaction.atomic():
        counts.append(ingest(SOURCE).count)
        other = threading.Thread(target=lambda: (counts.append(ingest(SOURCE).count), connection.close()))
        other.start()
        wait_until(lock_waiters)
        # It waits for the mark, not for a job that the other has inserted: that would already be past the other's rows.
        [query] = lock_waiters()
        assert "poll_watermark" in query
        assert "INSERT" not in query
    other.join()
    assert counts == [10, 0]


def test_a_limit_takes_the_oldest_first_and_the_rest_next_time():
    sent = [send({}, created_at=f"2031-01-01 00:00:{10 - number:02d}+00") for number in range(10)]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE integration_send_serviceops SET created_at = created_at - interval '20 years'")
    first = ingest(SOURCE, limit=4)
    assert (first.count, first.is_full) == (4, True)
    assert messages_with_a_job() == sorted(sent[-4:])
    ingest(SOURCE, limit=4)
    last = ingest(SOURCE, limit=4)
    assert (last.count, last.is_full) == (2, False)
    assert messages_with_a_job() == sorted(sent)


def test_the_watermark_moves_as_a_pair():
    """Column by column it would become (second's time, first's id), a pair of no row, and lose the row between."""
    first = send({}, message_id=900, created_at="2021-01-01 10:00:00+00")
    second = send({}, message_id=100, created_at="2021-01-01 10:00:01+00")
    ingest(SOURCE)
    assert watermark() == (created_at(second), second)
    between = send({}, message_id=500, created_at="2021-01-01 10:00:01+00")
    assert ingest(SOURCE).count == 1
    assert messages_with_a_job() == sorted([first, second, between])


def test_the_watermark_never_moves_back():
    send({}, created_at="2021-01-02 00:00:00+00")
    ingest(SOURCE)
    before = watermark()
    send({}, created_at="2021-01-01 00:00:00+00")
    assert ingest(SOURCE).count == 0
    assert swept(SOURCE, SweepKind.RECONCILE) == 1
    assert watermark() == before


def test_a_row_from_the_future_is_taken_by_the_lookback_and_does_not_drag_the_watermark():
    future = send({}, created_at="2999-01-01 00:00:00+00")
    now_sent = send({})
    ingest(SOURCE)
    assert swept(SOURCE, SweepKind.LOOKBACK) == 1
    assert messages_with_a_job() == sorted([future, now_sent])
    assert watermark() == (created_at(now_sent), now_sent)
    job = InboxJob.objects.get(message_id=future)
    assert job.next_attempt_at < job.source_created_at
    later = send({})
    assert ingest(SOURCE).count == 1
    assert later in messages_with_a_job()


@pytest.mark.parametrize("time", ["infinity", "-infinity", "20000-01-01", "4000-01-01 BC"])
def test_a_time_that_the_driver_can_not_read_stops_nothing(time):
    strange = send({}, created_at=time)
    good = send({})
    ingest(SOURCE)
    for kind in SweepKind:
        swept(SOURCE, kind)
    assert messages_with_a_job() == sorted([strange, good])
    job = InboxJob.objects.get(message_id=strange)
    assert job.source_created_at is None
    assert job.next_attempt_at is not None
    assert watermark() == (created_at(good), good)


def test_a_row_that_commits_a_moment_behind_the_watermark_is_found_by_the_next_poll(monkeypatch):
    # On a slow machine more than the half second would pass.
    with_long_overlap = SELECT_ROWS_ABOVE_WATERMARK.replace("0.5 seconds", "1 hour")
    monkeypatch.setattr("inbox.engine.ingest.SELECT_ROWS_ABOVE_WATERMARK", with_long_overlap)
    with transaction.atomic():
        late = send({})
        in_threads(lambda: send({}))
        assert in_threads(lambda: ingest(SOURCE).count) == [1]
    assert ingest(SOURCE).count == 1
    assert late in messages_with_a_job()


def test_a_row_that_commits_behind_the_overlap_is_found_by_the_lookback():
    late = send({}, created_at=seconds_ago(10))
    send({}, created_at=seconds_ago(5))
    hide(late)
    assert ingest(SOURCE).count == 1
    commit(late)
    assert ingest(SOURCE).count == 0
    assert swept(SOURCE, SweepKind.LOOKBACK) == 1
    mark = PollWatermark.objects.get(source="test")
    assert (mark.lookback_finds, mark.reconcile_finds) == (1, 0)


def hide(message_id):
    """As if the row had not been committed yet."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE integration_send_serviceops SET is_deleted = true WHERE message_id = %s", [message_id])


def commit(message_id):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE integration_send_serviceops SET is_deleted = false WHERE message_id = %s", [message_id])


def test_a_sweep_goes_through_everything_step_by_step():
    for number in range(10):
        send({}, created_at=f"2021-01-01 00:00:0{number}+00")
    send({})
    ingest(SOURCE)
    InboxJob.objects.filter(source_created_at__year=2021).delete()
    assert list(sweep(SOURCE, SweepKind.RECONCILE, step=4)) == [4, 4, 2]


def test_only_one_process_gets_the_turn_of_a_sweep_and_the_next_one_comes_later():
    PollWatermark.objects.create(source="test")
    turns = in_threads(*[lambda: take_turn(SOURCE, SweepKind.RECONCILE)] * 8)
    [turn] = filter(None, turns)
    assert not take_turn(SOURCE, SweepKind.RECONCILE)
    turn.end()
    assert take_turn(SOURCE, SweepKind.RECONCILE)


def look_back_was_due(seconds):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE poll_watermark SET next_lookback_at = now() - %s * interval '1 second'", [seconds])


def test_a_flood_of_rows_does_not_keep_the_lookback_away_for_ever(monkeypatch):
    monkeypatch.setattr("inbox.worker.ingester.INGEST_LIMIT", 1)
    send({})
    ingest(SOURCE)
    late = send({}, created_at=seconds_ago(300))
    for _ in range(5):
        send({})
    ingester = Ingester([SOURCE])
    look_back_was_due(1)
    assert ingester.ingest()
    assert ingester.sweep_on() == 0
    assert late not in messages_with_a_job()
    look_back_was_due(300)
    assert ingester.ingest()
    assert ingester.sweep_on() == 1
    assert late in messages_with_a_job()


def test_a_row_older_than_the_lookback_is_an_incident_of_the_reconcile(caplog):
    send({})
    ingest(SOURCE)
    very_late = send({}, created_at="2021-01-01 00:00:00+00")
    assert swept(SOURCE, SweepKind.LOOKBACK) == 0
    assert swept(SOURCE, SweepKind.RECONCILE) == 1
    assert very_late in messages_with_a_job()
    assert PollWatermark.objects.get(source="test").reconcile_finds == 1


def test_a_savepoint_row_and_a_rolled_back_row_are_seen_as_they_are():
    with transaction.atomic():
        with transaction.atomic():
            kept = send({})
        with transaction.atomic():
            send({})
            transaction.set_rollback(True)
    ingest(SOURCE)
    assert messages_with_a_job() == [kept]


def test_a_row_that_was_deleted_before_it_was_seen_is_no_job():
    send({}, is_deleted=True)
    assert ingest(SOURCE).count == 0


def test_ingest_looks_jobs_up_by_key_even_with_statistics_of_an_empty_table():
    """A nested loop over all jobs took 1.2 s for 2,000 rows."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE integration_inbox")
        for number in range(3000):
            send({}, message_id=number + 1)
        ingest(SOURCE)
        values = {"source": "test", "limit": 2000}
        with transaction.atomic():
            cursor.execute("EXPLAIN (ANALYZE, FORMAT TEXT) " + statement(SOURCE.reads), values)
            plan = "\n".join(line for (line,) in cursor.fetchall())
            transaction.set_rollback(True)
    assert "inbox_one_job_per_message" in plan
    assert "Anti Join" not in plan
