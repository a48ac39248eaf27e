"""Odd messages that are processed all the same, each amid 199 good neighbours of one batch."""

from datetime import UTC, datetime, timedelta

import pytest

from inbox.job_counts import JobCounts
from packets.models import Packet
from tests.support.drain import drain
from tests.support.intakes import CASE, assert_neighbours_are_done, documents_of, portal, send_amid_neighbours, without
from tests.support.rows import document, esmd

pytestmark = pytest.mark.django_db


def packet_amid_neighbours(payload, **columns):
    job = send_amid_neighbours((payload, columns))
    assert drain() == JobCounts(done=200)
    job.refresh_from_db()
    assert (job.status, job.errors, job.attempt_count, job.note) == ("DONE", [], 1, None)
    assert_neighbours_are_done(job)
    return Packet.objects.get(decision_tracking_id=CASE)


def at(*when):
    return datetime(*when, tzinfo=UTC)


@pytest.mark.parametrize(
    "payload",
    [without("documents"), esmd(CASE, documents=None), esmd(CASE, documents=[])],
    ids=["absent", "null", "empty"],
)
def test_no_documents_make_a_flagged_packet(payload):
    packet = packet_amid_neighbours(payload)
    assert not packet.has_documents
    assert documents_of(packet) == []


@pytest.mark.parametrize("payload", [esmd(), esmd(decision_tracking_id=None)], ids=["absent", "null"])
def test_the_columns_tracking_id_is_used_where_the_payload_has_none(payload):
    assert packet_amid_neighbours(payload).case_id == "TXN-FAKE-0001"


@pytest.mark.parametrize("created_at", ["infinity", "-infinity", "20000-01-01", "4000-01-01 BC"])
def test_a_created_at_that_python_has_no_time_for_is_unknown(created_at):
    packet = packet_amid_neighbours(esmd(CASE, submission_metadata={"FAKE": 1}), created_at=created_at)
    assert (packet.received_date, packet.due_date, packet.intake_created_at) == (None, None, None)
    assert packet.has_documents


def test_a_created_at_at_the_end_of_the_calendar_has_no_due_date():
    last = at(9999, 12, 29, 12)
    packet = packet_amid_neighbours(esmd(CASE, submission_metadata={"FAKE": 1}), created_at=last)
    assert (packet.received_date, packet.due_date) == (last, None)


@pytest.mark.parametrize("created_at", [at(1, 1, 2), at(9999, 12, 27)])
def test_a_created_at_of_another_age_is_kept(created_at):
    packet = packet_amid_neighbours(esmd(CASE, submission_metadata={"FAKE": 1}), created_at=created_at)
    assert (packet.received_date, packet.due_date) == (created_at, created_at + timedelta(days=3))


def test_a_submitted_date_of_the_year_1_is_kept():
    packet = packet_amid_neighbours(portal(Submitted_Date="0001-01-01"), channel_type_id=1)
    assert (packet.received_date, packet.due_date) == (at(1, 1, 1), at(1, 1, 4))


@pytest.mark.parametrize(
    "date", ["9999-12-31", "0001-01-01T00:00:00+14:00", "2031-02-30", "02/03/2031", 20310203, ["2031-02-03"], ""]
)
def test_a_submitted_date_that_cannot_be_read_gives_way_to_the_rows_time(date):
    packet = packet_amid_neighbours(portal(Submitted_Date=date), channel_type_id=1, created_at=at(2021, 2, 3, 4))
    assert (packet.received_date, packet.due_date) == (at(2021, 2, 3, 4), at(2021, 2, 6))


@pytest.mark.parametrize(
    ("size", "stored"),
    [
        (2**63, None),
        (10**30, None),
        (2**63 - 1, 2**63 - 1),
        (-1, None),
        (0, None),
        (1.5, None),
        (2048.0, 2048),
        ("2048", 2048),
        ("9" * 10000, None),
        ("large", None),
        (True, None),
        ([1], None),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_file_size_that_cannot_be_one_is_unknown(size, stored):
    packet = packet_amid_neighbours(esmd(CASE, documents=[document(fileSize=size)]))
    assert [row[3] for row in documents_of(packet)] == [stored]


def test_a_name_of_10000_characters_is_unknown():
    packet = packet_amid_neighbours(portal(Beneficiary_First_Name="TEST" * 2500), channel_type_id=1)
    assert packet.beneficiary_first_name is None
