"""Every shape of an intake gives the right packet and documents."""

from datetime import UTC, datetime

import pytest

from inbox.job_counts import JobCounts
from packets.models import Packet
from packets.samples.messages import good_messages, insert
from packets.samples.shapes import SHAPES
from tests.support.drain import drain, job_of
from tests.support.intakes import CASE, SNAKE_DOCUMENT, documents_of, portal
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


@pytest.mark.parametrize("tracking", ["decision_tracking_id", "decisionTrackingId"])
@pytest.mark.parametrize("metadata", ["submission_metadata", "submissionMetadata"])
@pytest.mark.parametrize("time", ["creationTime", "creation_time"])
@pytest.mark.parametrize("item", [document(), SNAKE_DOCUMENT], ids=["camel", "snake"])
@pytest.mark.parametrize("nesting", [None, ("ingest_data", "raw_payload"), ("ingestData", "rawPayload")])
def test_both_spellings_are_read_at_every_level(tracking, metadata, time, item, nesting):
    ids = {tracking: str(CASE).upper()}
    body = {metadata: {time: "2031-02-03T04:05:06Z", "esmdTransactionId": "TXN-FAKE-0003"}, "documents": [item]}
    payload = ids | body if nesting is None else {nesting[0]: ids | {nesting[1]: body}}
    packet = packet_of(payload)
    assert (packet.case_id, packet.received_date) == ("TXN-FAKE-0003", at(2031, 2, 3, 4, 5, 6))
    assert documents_of(packet) == [DOCUMENT]


@pytest.mark.parametrize("spelling", ["document_unique_id", "documentUniqueId"])
def test_the_short_names_of_a_document_identifier_are_read(spelling):
    item = {spelling: "DOC-FAKE-1", "fileName": "request.pdf", "mimeType": "application/pdf"}
    packet = packet_of(esmd(CASE, documents=[item]))
    assert documents_of(packet) == [("DOC-FAKE-1", "request.pdf", "application/pdf", None, None)]


@pytest.mark.parametrize("channel_type_id", [None, 0])
def test_no_channel_means_esmd(channel_type_id):
    assert packet_of(esmd(CASE), channel_type_id=channel_type_id).channel_type_id == 3


@pytest.mark.parametrize(
    ("word", "submission_type", "hours"),
    [
        ("expedited", "Expedited", 48),
        ("Expedite", "Expedited", 48),
        (" URGENT ", "Expedited", 48),
        ("rush-resubmission", "Expedited", 48),
        ("standard", "Standard", 72),
        ("normal", "Standard", 72),
        ("routine-initial", "Standard", 72),
        ("Regular", "Standard", 72),
        ("", "Standard", 72),
        (None, "Standard", 72),
    ],
)
def test_the_due_date_follows_the_submission_type(word, submission_type, hours):
    packet = packet_of(portal(Submission_Type=word, Submitted_Date="2031-02-03T23:59:59Z"), channel_type_id=1)
    assert packet.submission_type == submission_type
    assert packet.due_date == at(2031, 2, 3 + hours // 24)
    assert packet.validation_status == "Pending - Validation"


@pytest.mark.parametrize("word", ["soon", "expeditedly", "-", 7, ["expedited"]])
def test_an_unknown_submission_type_is_reviewed_by_a_person_and_has_no_due_date(word):
    packet = packet_of(portal(Submission_Type=word), channel_type_id=1)
    assert (packet.submission_type, packet.due_date) == (None, None)
    assert packet.validation_status == "Pending - Manual Review"


@pytest.mark.parametrize("ocr", [None, {}, "FAKE", {"fields": []}, {"fields": {"Beneficiary First Name": "FAKE"}}])
def test_what_is_not_known_of_people_is_null(ocr):
    packet = packet_of(portal() | {"ocr": ocr}, channel_type_id=1)
    assert packet.beneficiary_first_name is packet.beneficiary_last_name is packet.beneficiary_medicare_id is None
    assert packet.provider_name is packet.provider_npi is None


@pytest.mark.parametrize("value", ["", "   ", None, True, ["FAKE"], {"FAKE": 1}, "FAKE" * 2500])
def test_an_unusable_name_is_null(value):
    packet = packet_of(portal(Beneficiary_First_Name=value), channel_type_id=1)
    assert packet.beneficiary_first_name is None


def test_the_rows_time_counts_where_the_payload_has_none():
    packet = packet_of(esmd(CASE, submission_metadata={"creationTime": "FAKE"}), created_at=at(2021, 2, 3, 4))
    assert (packet.received_date, packet.due_date) == (at(2021, 2, 3, 4), at(2021, 2, 6))


def test_the_samples_cover_every_shape_and_are_all_good():
    messages = list(good_messages(100, seed=1))
    assert {message.shape for message in messages} == set(SHAPES)
    insert(messages)
    assert drain() == JobCounts(done=100)
    assert Packet.objects.filter(has_documents=True).count() == 100
