"""Every spelling and every value of an intake is read, whatever its shape."""

from dataclasses import astuple
from datetime import UTC, datetime

import pytest

from inbox.registry import LockedJob
from packets.codes import first_validation_status
from packets.intake.parse import parse_intake
from packets.messages import Message
from tests.support.intakes import CASE, SNAKE_DOCUMENT, portal
from tests.support.rows import document, esmd

PORTAL = 1
DOCUMENT = ("DOC-FAKE-1", "request.pdf", "application/pdf", 1024, "fake/2031/request.pdf")


def intake_of(payload, channel_type_id=None):
    job = LockedJob(1, 1, 1, "intake", CASE, channel_type_id, None, 1, 0.0)
    return parse_intake(Message(job, payload, None))


def documents_of(intake):
    return [astuple(document) for document in intake.documents]


def at(*when):
    return datetime(*when, tzinfo=UTC)


@pytest.mark.parametrize("tracking", ["decision_tracking_id", "decisionTrackingId"])
@pytest.mark.parametrize("metadata", ["submission_metadata", "submissionMetadata"])
@pytest.mark.parametrize("time", ["creationTime", "creation_time"])
@pytest.mark.parametrize("item", [document(), SNAKE_DOCUMENT], ids=["camel", "snake"])
@pytest.mark.parametrize("nesting", [None, ("ingest_data", "raw_payload"), ("ingestData", "rawPayload")])
def test_both_spellings_are_read_at_every_level(tracking, metadata, time, item, nesting):
    ids = {tracking: str(CASE).upper()}
    body = {metadata: {time: "2031-02-03T04:05:06Z", "esmdTransactionId": "TXN-FAKE-0003"}, "documents": [item]}
    payload = ids | body if nesting is None else {nesting[0]: ids | {nesting[1]: body}}
    intake = intake_of(payload)
    assert (intake.case_id, intake.received_date) == ("TXN-FAKE-0003", at(2031, 2, 3, 4, 5, 6))
    assert documents_of(intake) == [DOCUMENT]


@pytest.mark.parametrize("spelling", ["document_unique_id", "documentUniqueId"])
def test_the_short_names_of_a_document_identifier_are_read(spelling):
    item = {spelling: "DOC-FAKE-1", "fileName": "request.pdf", "mimeType": "application/pdf"}
    intake = intake_of(esmd(CASE, documents=[item]))
    assert documents_of(intake) == [("DOC-FAKE-1", "request.pdf", "application/pdf", None, None)]


@pytest.mark.parametrize("channel_type_id", [None, 0])
def test_no_channel_means_esmd(channel_type_id):
    assert intake_of(esmd(CASE), channel_type_id=channel_type_id).channel_type_id == 3


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
    intake = intake_of(portal(Submission_Type=word, Submitted_Date="2031-02-03T23:59:59Z"), channel_type_id=PORTAL)
    assert intake.submission_type == submission_type
    assert intake.due_date == at(2031, 2, 3 + hours // 24)
    assert first_validation_status(intake.submission_type) == "Pending - Validation"


@pytest.mark.parametrize("word", ["soon", "expeditedly", "-", 7, ["expedited"]])
def test_an_unknown_submission_type_is_reviewed_by_a_person_and_has_no_due_date(word):
    intake = intake_of(portal(Submission_Type=word), channel_type_id=PORTAL)
    assert (intake.submission_type, intake.due_date) == (None, None)
    assert first_validation_status(intake.submission_type) == "Pending - Manual Review"


@pytest.mark.parametrize("ocr", [None, {}, "FAKE", {"fields": []}, {"fields": {"Beneficiary First Name": "FAKE"}}])
def test_what_is_not_known_of_people_is_null(ocr):
    intake = intake_of(portal() | {"ocr": ocr}, channel_type_id=PORTAL)
    assert intake.beneficiary_first_name is intake.beneficiary_last_name is intake.beneficiary_medicare_id is None
    assert intake.provider_name is intake.provider_npi is None


@pytest.mark.parametrize("value", ["", "   ", None, True, ["FAKE"], {"FAKE": 1}, "FAKE" * 2500])
def test_an_unusable_name_is_null(value):
    intake = intake_of(portal(Beneficiary_First_Name=value), channel_type_id=PORTAL)
    assert intake.beneficiary_first_name is None
