"""The same intakes end in the same packets, in whatever order and however often they are handled, by however many."""

import time
from copy import copy
from datetime import timedelta
from random import Random
from threading import Thread

import pytest
from django.db import connection, transaction

from inbox import registry
from inbox.engine import work
from inbox.engine.claim import claim
from inbox.job_counts import JobCounts
from inbox.models import InboxJob
from packets.models import IntegrationMessage, Packet, PacketDocument
from packets.order import order_key
from packets.samples.shapes import SHAPES
from tests.support.drain import ingest_all
from tests.support.rows import document, esmd, seconds_ago, send, tracking_id

pytestmark = pytest.mark.django_db(transaction=True)

MESSAGES = 500
CASES = 50
ORDERS = 20
REPEATED = 100
NOT_COMPARED = {"packet_id", "external_id", "created_at", "updated_at"}
TIMES = ["infinity", "-infinity", seconds_ago(300), seconds_ago(300)]


def send_messages(random):
    """Messages of all shapes, some without documents, some at the same time, some at a time nobody can read."""
    for number in range(MESSAGES):
        tracking = tracking_id(random.randrange(CASES))
        make, channel = random.choice(list(SHAPES.values()))
        payload = make(random, tracking)
        if random.random() < 0.1:
            payload.pop("documents", None)
        if random.random() < 0.1:
            payload["ocr"] = {"fields": {"Submission Type": {"value": "FAKE"}}}
        when = random.choice(TIMES) if number % 5 == 0 else seconds_ago(random.randrange(600))
        send(payload, tracking, channel_type_id=int(channel), created_at=when)


def jobs_with_some_repeated(random):
    """The jobs of all messages, some with a second one, as a person who repeats a message makes it."""
    jobs = list(InboxJob.objects.all())
    repeated = [copy(job) for job in random.sample(jobs, REPEATED)]
    for job in repeated:
        job.revision = 2
    return jobs + repeated


def begin_again(random, jobs):
    """No packets, and the jobs are new and due in a random order."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE packet, integration_inbox CASCADE")
    random.shuffle(jobs)
    an_hour_ago = seconds_ago(3600)
    for place, job in enumerate(jobs):
        job.pk, job.next_attempt_at = None, an_hour_ago + timedelta(milliseconds=place)
    InboxJob.objects.bulk_create(jobs)


def work_in_random_batches(random):
    source = registry.source("integration")
    while claimed := claim(source, worker_id="test", limit=random.choice([1, 7, 60, 200])):
        work.work(claimed)


def packets():
    return {
        row["decision_tracking_id"]: {name: value for name, value in row.items() if name not in NOT_COMPARED}
        for row in Packet.objects.values()
    }


def documents():
    columns = ("document_unique_identifier", "file_name", "mime_type", "file_size", "blob_path")
    return sorted(map(repr, PacketDocument.objects.values_list("packet__decision_tracking_id", *columns)))


def newest_messages():
    """By case the message that must count, found the plain way."""
    newest = {}
    for message in IntegrationMessage.objects.all():
        rival = newest.get(message.decision_tracking_id)
        if not rival or _key(rival) < _key(message):
            newest[message.decision_tracking_id] = message
    return {tracking: message.message_id for tracking, message in newest.items()}


def _key(message):
    return order_key(message.created_at, message.message_id)


def test_every_order_and_every_repetition_ends_in_the_same_packets():
    random = Random(20310203)
    send_messages(random)
    ingest_all()
    jobs = jobs_with_some_repeated(random)
    ends = []
    for _ in range(ORDERS):
        begin_again(random, jobs)
        work_in_random_batches(random)
        assert InboxJob.objects.filter(status="DONE").count() == MESSAGES + REPEATED
        ends.append((packets(), documents()))
    first_packets, first_documents = ends[0]
    newest = newest_messages()
    assert {case: packet["intake_message_id"] for case, packet in first_packets.items()} == newest
    assert len(newest) == CASES
    assert len(first_documents) > CASES / 2
    for number, (packets_then, documents_then) in enumerate(ends):
        assert packets_then == first_packets, f"order {number}"
        assert documents_then == first_documents, f"order {number}"


def test_two_workers_with_the_same_cases_in_opposite_order_do_not_deadlock(monkeypatch):
    """First the packets don't exist, then they do, so both ways of locking are met; each time something in the middle
    holds both workers up until each has all the locks that it takes before it."""
    monkeypatch.setattr(work, "DEADLOCK_TRIES", 1)
    hold_ups = (
        "INSERT INTO packet (decision_tracking_id, channel_type_id) VALUES (%s, 3)",
        "SELECT 1 FROM packet WHERE decision_tracking_id = %s FOR UPDATE",
    )
    for number, hold_up in enumerate(hold_ups):
        expected = {}
        for order in (range(CASES), reversed(range(CASES))):
            for case in map(tracking_id, order):
                expected[case] = send(esmd(documents=[document(number)]), case)
        ingest_all()
        assert _work_in_two_threads(hold_up) == [JobCounts(done=CASES), JobCounts(done=CASES)]
        assert dict(Packet.objects.values_list("decision_tracking_id", "intake_message_id")) == expected
        found = PacketDocument.objects.values_list("document_unique_identifier", flat=True)
        assert list(found) == [f"DOC-FAKE-{number}"] * CASES


def _work_in_two_threads(hold_up):
    """Two claims of one half each, worked on at the same time; returns the counts of both."""
    claims = [claim(registry.source("integration"), worker_id=name, limit=CASES) for name in ("first", "second")]
    assert [len(claimed) for claimed in claims] == [CASES, CASES]
    outcomes = {}

    def run(number):
        try:
            outcomes[number] = work.work(claims[number])
        finally:
            connection.close()

    threads = [Thread(target=run, args=[number]) for number in range(2)]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(hold_up, [tracking_id(CASES // 2)])
        for thread in threads:
            thread.start()
        _wait_until_waiting(cursor, 2)
        transaction.set_rollback(True)
    for thread in threads:
        thread.join(timeout=30)
    return [outcomes.get(number) for number in range(2)]


def _wait_until_waiting(cursor, count):
    """Until so many connections of this database wait for a lock."""
    deadline = time.monotonic() + 4
    waiting = None
    while waiting != count:
        assert time.monotonic() < deadline, f"{waiting} of {count} wait"
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            """SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
                WHERE NOT granted AND datname = current_database()"""
        )
        (waiting,) = cursor.fetchone()
