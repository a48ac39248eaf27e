"""A row that changes by UPDATE: each content becomes a job exactly once, whoever writes and reads at the same time."""

import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from operator import itemgetter

import pytest
from django.db import connection, transaction

from decisions.models import ClinicalOpsMessage
from inbox.engine.has_work import has_work
from inbox.engine.ingest import ingest
from inbox.engine.work import work
from inbox.models import InboxJob
from inbox.registry import ByFlag, Source
from inbox.worker.presence import Presence
from tests.support.probe import (
    claim_all,
    in_threads,
    leave_witnesses,
    lock_waiters,
    make_witness_table,
    wait_until,
    witnesses,
)
from tests.support.rows import seconds_ago, tracking_id

pytestmark = pytest.mark.django_db(transaction=True)

DECISIONS = ByFlag(
    table="service_ops_send_serviceops",
    eligible_sql="s.clinical_ops_decision_json IS NOT NULL",
    flag="is_decision_ingested",
    revision="decision_revision",
    message_type="probe",
)
SOURCE = Source(name="test", command="none", reads=DECISIONS, handlers={"probe": leave_witnesses})
WEEK_S = 7 * 86400
PAUSE = 4711


def ingest_rows(limit=2000):
    return ingest(SOURCE, limit=limit).count


def row(decision=None, **columns) -> int:
    """Insert a row as ClinicalOps does, by plain SQL; returns its message_id."""
    columns = {"decision_tracking_id": tracking_id(1), "clinical_ops_decision_json": decision} | columns
    with connection.cursor() as cursor:
        names, places = ", ".join(columns), ", ".join(["%s"] * len(columns))
        sql = f"INSERT INTO service_ops_send_serviceops ({names}) VALUES ({places}) RETURNING message_id"
        cursor.execute(sql, list(columns.values()))
        return cursor.fetchone()[0]


def update(message_id, **columns):
    sets = ", ".join(f"{name} = %s" for name in columns)
    with connection.cursor() as cursor:
        sql = f"UPDATE service_ops_send_serviceops SET {sets} WHERE message_id = %s"
        cursor.execute(sql, [*columns.values(), message_id])


def decide(message_id, decision='{"round": 1}'):
    update(message_id, clinical_ops_decision_json=decision)


def jobs():
    return list(InboxJob.objects.order_by("message_id", "revision").values_list("message_id", "revision"))


def is_taken(message_id):
    return ClinicalOpsMessage.objects.get(pk=message_id).is_decision_ingested


def test_a_row_that_becomes_eligible_a_week_later_gets_its_job():
    late = row(created_at=seconds_ago(WEEK_S))
    assert (ingest_rows(), has_work([SOURCE])) == (0, False)
    decide(late)
    assert has_work([SOURCE])
    assert ingest_rows() == 1
    made = InboxJob.objects.get()
    assert (made.source, made.message_id, made.revision, made.message_type) == ("test", late, 1, "probe")
    assert (made.status, made.decision_tracking_id) == ("NEW", tracking_id(1))
    assert made.source_created_at < seconds_ago(WEEK_S - 60)
    assert made.next_attempt_at > seconds_ago(60)
    assert is_taken(late)


def test_what_was_taken_is_not_taken_again():
    taken = row("{}")
    assert (ingest_rows(), ingest_rows()) == (1, 0)
    assert jobs() == [(taken, 1)]
    assert not has_work([replace(SOURCE, handlers={})]), "no row, that is; the job is due"


def test_a_corrected_row_is_a_new_revision_and_a_second_job():
    corrected = row('{"round": 1}')
    ingest_rows()
    decide(corrected, '{"round": 2}')
    assert not is_taken(corrected)
    assert ingest_rows() == 1
    assert jobs() == [(corrected, 1), (corrected, 2)]
    assert is_taken(corrected)


def test_a_row_corrected_before_it_was_taken_is_one_job():
    corrected = row('{"round": 1}')
    decide(corrected, '{"round": 2}')
    assert ingest_rows() == 1
    assert jobs() == [(corrected, 1)]


def test_an_update_that_changes_nothing_in_the_content_is_no_new_job():
    settled = row('{"round": 1, "text": "x"}')
    ingest_rows()
    update(settled, clinical_ops_decision_json='{"text":"x",  "round":1}')
    update(settled, payload='{"other": "content"}', clinical_decision_applied_at=seconds_ago(0))
    update(settled, is_decision_ingested=True)
    assert is_taken(settled)
    assert ingest_rows() == 0
    assert jobs() == [(settled, 1)]


def test_a_row_deleted_before_it_was_seen_is_no_job_and_one_without_a_decision_neither():
    row("{}", is_deleted=True)
    row()
    assert (ingest_rows(), has_work([SOURCE])) == (0, False)


def test_a_limit_takes_the_rest_next_time():
    rows = [row("{}") for _ in range(5)]
    assert ingest(SOURCE, limit=3).is_full
    assert jobs() == [(message_id, 1) for message_id in rows[:3]]
    assert not ingest(SOURCE, limit=3).is_full
    assert len(jobs()) == 5


def test_a_row_that_its_writer_holds_is_skipped_and_taken_when_the_writer_is_done():
    held, free = row('{"round": 1}'), row('{"round": 1}')
    with transaction.atomic():
        decide(held, '{"round": 2}')
        assert in_threads(ingest_rows) == [1]
        assert in_threads(jobs) == [[(free, 1)]]
    assert ingest_rows() == 1
    assert jobs() == [(held, 1), (free, 1)]


def test_an_ingest_that_is_rolled_back_leaves_the_flag_down():
    lost = row("{}")
    with transaction.atomic():
        assert ingest_rows() == 1
        transaction.set_rollback(True)
    assert (is_taken(lost), jobs()) == (False, [])
    assert ingest_rows() == 1


@contextmanager
def paused_ingest():
    """An ingest that has its snapshot and has read the rows, and goes on to lock them when the `with` is left."""
    eligible = f"{DECISIONS.eligible_sql} AND pg_advisory_xact_lock({PAUSE}) IS NOT NULL"

    def ingest_paused():
        with closing(connection), connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = 0")
            return ingest(replace(SOURCE, reads=replace(DECISIONS, eligible_sql=eligible))).count

    with ThreadPoolExecutor() as pool, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [PAUSE])
        ingesting = pool.submit(ingest_paused)
        try:
            wait_until(lock_waiters)
            yield ingesting
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [PAUSE])


def test_a_correction_between_snapshot_and_lock_gives_a_job_of_the_new_revision():
    """The ingest has read revision 1. Another ingest takes that, and the writer corrects it at once."""
    corrected = row('{"round": 1}')
    with paused_ingest() as ingesting:
        assert ingest_rows() == 1
        decide(corrected, '{"round": 2}')
    assert ingesting.result() == 1
    assert jobs() == [(corrected, 1), (corrected, 2)]
    assert is_taken(corrected)


def test_a_row_that_another_ingest_took_between_snapshot_and_lock_is_left_alone():
    taken = row("{}")
    with paused_ingest() as ingesting:
        ingest_rows()
    assert ingesting.result() == 0
    assert jobs() == [(taken, 1)]


def test_a_row_that_is_no_longer_eligible_when_it_is_locked_keeps_its_flag_down():
    withdrawn, deleted = row("{}"), row("{}")
    with paused_ingest() as ingesting:
        decide(withdrawn, None)
        update(deleted, is_deleted=True)
    assert ingesting.result() == 0
    assert (jobs(), is_taken(withdrawn), is_taken(deleted)) == ([], False, False)
    decide(withdrawn)
    update(deleted, is_deleted=False)
    assert ingest_rows() == 2


def test_a_correction_that_waits_for_the_ingest_lowers_the_flag_again():
    corrected = row('{"round": 1}')
    with ThreadPoolExecutor() as pool:
        with transaction.atomic():
            ingest_rows()
            writing = pool.submit(in_threads, lambda: decide(corrected, '{"round": 2}'))
            wait_until(lock_waiters)
        writing.result()
    assert not is_taken(corrected)
    assert ingest_rows() == 1
    assert jobs() == [(corrected, 1), (corrected, 2)]


def test_our_own_flag_wakes_nobody():
    """Else each ingest would wake all workers, for nothing."""
    row("{}")
    listening = Presence("worker A", "test")
    ingest_rows()
    with connection.cursor() as cursor:
        cursor.execute("NOTIFY inbox, 'afterwards'")
    [first] = listening._connection.notifies(timeout=20, stop_after=1)
    listening.close()
    assert first.payload == "afterwards"


@pytest.mark.parametrize("column", ["created_at", "updated_at"])
def test_a_time_that_the_driver_can_not_read_stops_nothing(column):
    strange = [row("{}", **{column: time}) for time in ("infinity", "-infinity", "20000-01-01", "4000-01-01 BC")]
    good = row("{}")
    assert ingest_rows() == 5
    assert jobs() == [(message_id, 1) for message_id in [*strange, good]]
    unknown = InboxJob.objects.filter(message_id__in=strange, source_created_at=None)
    assert unknown.count() == (4 if column == "created_at" else 0)
    make_witness_table()
    assert work(claim_all(SOURCE)).done == 5
    assert len(witnesses()) == 5


def test_each_content_of_1000_rows_is_one_job_in_any_order_of_commits():
    """4 writers decide, correct and withdraw in small transactions, while 2 readers ingest."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO service_ops_send_serviceops (decision_tracking_id)"
            " SELECT gen_random_uuid() FROM generate_series(1, 1000)"
        )
    rows = list(ClinicalOpsMessage.objects.values_list("pk", flat=True))
    writers = [partial(write_in_any_order, rows[number::4], random.Random(number)) for number in range(4)]
    finished = []

    def read():
        count = 0
        while len(finished) < len(writers):
            count += ingest_rows(limit=50)
        return count

    counts = in_threads(*[lambda write=write: finished.append(write()) for write in writers], read, read)
    made = sum(counts[4:]) + ingest_rows()
    ended = ClinicalOpsMessage.objects.order_by("pk").values_list("pk", "decision_revision", "is_decision_ingested")
    contents = [(message_id, revision) for message_id, last, _ in ended for revision in range(1, last + 1)]
    assert {is_taken for _, _, is_taken in ended} == {True}
    assert jobs() == contents
    assert made == len(contents)
    assert made > 1000


def write_in_any_order(rows, dice):
    """Only each row's own contents keep their order; they end with a decision."""
    changes = []
    for message_id in rows:
        contents = dice.choice([["1"], ["1", "2"], ["1", None, "2"], ["1", "2", "1"]])
        times = sorted(dice.random() for _ in contents)
        changes += [(time, message_id, content) for time, content in zip(times, contents, strict=True)]
    changes.sort(key=itemgetter(0))
    while changes:
        size = dice.randint(1, 9)
        with transaction.atomic():
            for _, message_id, content in changes[:size]:
                decide(message_id, content)
        changes = changes[size:]
