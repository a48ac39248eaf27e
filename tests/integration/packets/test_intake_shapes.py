"""Every shape of an intake gives the right packet and documents."""

from datetime import UTC, datetime

import pytest

from inbox.job_counts import JobCounts
from packets.models import Packet
from packets.samples.messages import good_messages, insert
from packets.samples.shapes import SHAPES
from tests.support.drain import drain, job_of
from tests.support.intakes import CASE, documents_of, portal
from tests.support.rows import document, esmd, send

pytestmark = pytest.mark.django_db

DOCUMENT = ("DOC-FAKE-1", "request.pdf", "application/pdf", 1024, "fake/2031/request.pdf")


def packet_of(payload, **columns):
    """Send, work, and give back the packet."""
    message_id = send(payload, CASE, **columns)
    drain()
    job = job_of(message_id)
    assert (job.status, job.note, job.last_error) == ("DONE", None, None)
    return Packet.objects.get(decision_tracking_id=CASE)


def at(*when):
    return datetime(*when, tzinfo=UTC)


def test_an_esmd_intake_makes_a_packet_with_its_document():
    packet = packet_of(esmd(CASE), channel_type_id=3, message_type_id=1)
    assert (packet.channel_type_id, packet.case_id, packet.submission_type) == (3, "TXN-FAKE-0001", "Standard")
    assert (packet.received_date, packet.due_date) == (at(2031, 2, 3, 9, 5, 6), at(2031, 2, 6))
    assert (packet.detailed_status, packet.validation_status) == ("Pending - New", "Pending - Validation")
    assert packet.has_documents
    assert documents_of(packet) == [DOCUMENT]
    assert packet.external_id.startswith("SVC-")
    assert [event.what for event in packet.events.all()] == ["created"]


def test_a_fax_has_no_case_id_and_its_size_0_is_unknown():
    fax_document = {
        "document_unique_id": "DOC-FAKE-1",
        "file_name": "fax.tif",
        "mime_type": "image/tiff",
        "file_size": 0,
        "blob_path": "fake/fax.tif",
    }
    metadata = {"creationTime": "2031-02-03T23:30:00-05:00", "esmd_transaction_id": "TXN-FAKE-0001"}
    payload = {"messageType": "Fax", "submission_metadata": metadata, "documents": [fax_document]}
    packet = packet_of(payload, channel_type_id=2)
    assert (packet.channel_type_id, packet.case_id) == (2, None)
    # Half past eleven in the evening there is the next day in UTC.
    assert (packet.received_date, packet.due_date) == (at(2031, 2, 4, 4, 30), at(2031, 2, 7))
    assert documents_of(packet) == [("DOC-FAKE-1", "fax.tif", "image/tiff", None, "fake/fax.tif")]


def test_a_portal_intake_takes_its_people_and_dates_from_the_cover_sheet():
    people = {
        "Beneficiary_First_Name": "TEST",
        "Beneficiary_Last_Name": "FAKE",
        "Beneficiary_Medicare_ID": "0FAKE000001",
        "Facility_Provider_Name": "TEST FACILITY",
        "Facility_Provider_NPI": 1234567890,
    }
    packet = packet_of(portal(Submission_Type="expedited-initial", **people), channel_type_id=1)
    assert (packet.channel_type_id, packet.case_id) == (1, "PKT-2031-000001")
    assert (packet.beneficiary_first_name, packet.beneficiary_last_name) == ("TEST", "FAKE")
    assert (packet.beneficiary_medicare_id, packet.provider_name) == ("0FAKE000001", "TEST FACILITY")
    assert packet.provider_npi == "1234567890"
    assert (packet.received_date, packet.due_date) == (at(2031, 2, 3), at(2031, 2, 5))
    assert packet.submission_type == "Expedited"


def test_the_old_nested_shape_is_read():
    raw = {"submissionMetadata": {"creationTime": "2031-02-03T04:05:06Z"}, "documents": [document()]}
    nested = {"decision_tracking_id": str(CASE), "unique_id": "FAKE", "esmd_transaction_id": "TXN-FAKE-0002"}
    packet = packet_of({"ingest_data": nested | {"raw_payload": raw}})
    assert (packet.channel_type_id, packet.case_id) == (3, "TXN-FAKE-0002")
    assert packet.received_date == at(2031, 2, 3, 4, 5, 6)
    assert documents_of(packet) == [DOCUMENT]


def test_the_rows_time_counts_where_the_payload_has_none():
    packet = packet_of(esmd(CASE, submission_metadata={"creationTime": "FAKE"}), created_at=at(2021, 2, 3, 4))
    assert (packet.received_date, packet.due_date) == (at(2021, 2, 3, 4), at(2021, 2, 6))


def test_the_samples_cover_every_shape_and_are_all_good():
    messages = list(good_messages(100, seed=1))
    assert {message.shape for message in messages} == set(SHAPES)
    insert(messages)
    assert drain() == JobCounts(done=100)
    assert Packet.objects.filter(has_documents=True).count() == 100
