"""All that arrives broken, each amid 199 good neighbours of one batch: the right end at once, and no harm done."""

import pytest

from inbox.job_counts import JobCounts
from packets.models import IntegrationMessage, Packet
from tests.support.drain import drain
from tests.support.intakes import CASE, assert_neighbours_are_done, send_amid_neighbours, without
from tests.support.rows import document, esmd, tracking_id

pytestmark = pytest.mark.django_db

MARKER = "MARKER-VALUE-123"
SHORT_TEXT = " must be a string of 1 to 255 characters"
BAD_ID = "the message's decision_tracking_id must be a string, got "
KNOWN_TEXTS = "ingest_file_package, Fax, Portal, UTN, UTN_FAIL"


def with_document(**fields):
    return esmd(CASE, documents=[document(), document(2, **fields)])


def nested(**keys):
    return {"ingest_data": {"note": MARKER} | keys}


# A payload, or a payload and columns, and the reason why its job is dead.
DEAD = {
    "documents-text": (esmd(CASE, documents=MARKER), "documents must be a list, got a string"),
    "documents-number": (esmd(CASE, documents=123), "documents must be a list, got a number"),
    "documents-object": (esmd(CASE, documents={MARKER: MARKER}), "documents must be a list, got an object"),
    "documents-true": (esmd(CASE, documents=True), "documents must be a list, got a boolean"),
    "document-text": (esmd(CASE, documents=[document(), MARKER]), "document 2 must be an object, got a string"),
    "document-null": (esmd(CASE, documents=[None]), "document 1 must be an object, got null"),
    "document-list": (esmd(CASE, documents=[[MARKER]]), "document 1 must be an object, got a list"),
    "no-id": (with_document(documentUniqueIdentifier=None), "document 2: identifier" + SHORT_TEXT),
    "empty-id": (with_document(documentUniqueIdentifier="  "), "document 2: identifier" + SHORT_TEXT),
    "object-id": (with_document(documentUniqueIdentifier={MARKER: 1}), "document 2: identifier" + SHORT_TEXT),
    "id-10000": (with_document(documentUniqueIdentifier=MARKER * 625), "document 2: identifier" + SHORT_TEXT),
    "no-file-name": (with_document(fileName=None), "document 2: file name" + SHORT_TEXT),
    "list-file-name": (with_document(fileName=[MARKER]), "document 2: file name" + SHORT_TEXT),
    "no-mime-type": (with_document(mimeType=None), "document 2: mime type" + SHORT_TEXT),
    "true-mime-type": (with_document(mimeType=True), "document 2: mime type" + SHORT_TEXT),
    "path-dots": (with_document(blobPath=f"fake/../{MARKER}"), "document 2: path contains .."),
    "path-dots-end": (with_document(blobPath=f"{MARKER}/.."), "document 2: path contains .."),
    "path-dots-backslash": (with_document(blobPath=rf"fake\..\{MARKER}"), "document 2: path contains .."),
    "path-dots-encoded": (with_document(blobPath=f"fake/%2e%2E/{MARKER}"), "document 2: path contains .."),
    "path-slash-encoded": (with_document(blobPath=f"fake/..%2F{MARKER}"), "document 2: path contains .."),
    "path-root": (with_document(blobPath=f"/{MARKER}"), "document 2: path is absolute"),
    "path-root-blank": (with_document(blobPath=f" /{MARKER}"), "document 2: path is absolute"),
    "path-root-encoded": (with_document(blobPath=f"%2f{MARKER}"), "document 2: path is absolute"),
    "path-share": (with_document(blobPath=rf"\\{MARKER}\x"), "document 2: path is absolute"),
    "path-host": (with_document(blobPath=f"//{MARKER}/x"), "document 2: path is absolute"),
    "path-url": (with_document(blobPath=f"https://{MARKER}/x"), "document 2: path is a URL"),
    "path-file-url": (with_document(blobPath=f"FILE:{MARKER}"), "document 2: path is a URL"),
    "path-drive": (with_document(blobPath=rf"C:\{MARKER}"), "document 2: path is a URL"),
    "path-object": (with_document(blobPath={MARKER: 1}), "document 2: path must be a string of 1 to 1024 characters"),
    "path-10000": (with_document(blobPath=MARKER * 625), "document 2: path must be a string of 1 to 1024 characters"),
    "metadata-absent": (without("submission_metadata"), "submission_metadata is absent"),
    "metadata-null": (esmd(CASE, submission_metadata=None), "submission_metadata is absent"),
    "metadata-empty": (esmd(CASE, submission_metadata={}), "submission_metadata is empty"),
    "metadata-text": (esmd(CASE, submission_metadata=MARKER), "submission_metadata must be an object, got a string"),
    "metadata-list": (esmd(CASE, submission_metadata=[MARKER]), "submission_metadata must be an object, got a list"),
    "payload-null": ("null", "the message must be an object, got null"),
    "payload-empty": ({}, "the message is empty"),
    "payload-list": ([MARKER], "the message must be an object, got a list"),
    "payload-text": (f'"{MARKER}"', "the message must be an object, got a string"),
    "payload-number": ("123", "the message must be an object, got a number"),
    "nested-text": ({"ingest_data": MARKER}, "ingest_data must be an object, got a string"),
    "nested-no-payload": (nested(), "ingest_data.raw_payload must be an object, got null"),
    "nested-list": (nested(raw_payload=[MARKER]), "ingest_data.raw_payload must be an object, got a list"),
    "nested-no-metadata": (nested(raw_payload={"documents": []}), "submission_metadata is absent"),
    "tracking-column-null": (
        (esmd(CASE, note=MARKER), {"decision_tracking_id": None}),
        "the row's decision_tracking_id is null",
    ),
    "tracking-malformed": (
        esmd(CASE, decision_tracking_id=MARKER),
        "the message's decision_tracking_id is not a UUID",
    ),
    "tracking-empty": (esmd(CASE, decision_tracking_id=""), "the message's decision_tracking_id is not a UUID"),
    "tracking-number": (
        esmd(CASE, decision_tracking_id=1),
        BAD_ID + "a number",
    ),
    "tracking-list": (
        esmd(CASE, decision_tracking_id=[MARKER]),
        BAD_ID + "a list",
    ),
    "tracking-differs": (
        esmd(CASE, decision_tracking_id=str(tracking_id(2))),
        "the message's decision_tracking_id differs from the row's",
    ),
    "tracking-differs-nested": (
        nested(decision_tracking_id=str(tracking_id(2)), raw_payload=esmd(CASE)),
        "the message's decision_tracking_id differs from the row's",
    ),
    "type-unknown": (esmd(CASE, message_type=MARKER), f"message_type must be one of {KNOWN_TEXTS}"),
    "type-other-case": (esmd(CASE, message_type="utn"), f"message_type must be one of {KNOWN_TEXTS}"),
    "type-10000": (esmd(CASE, message_type=MARKER * 625), f"message_type must be one of {KNOWN_TEXTS}"),
    "type-object": (esmd(CASE, message_type={MARKER: 1}), f"message_type must be one of {KNOWN_TEXTS}, got an object"),
    "type-number": (esmd(CASE, message_type=7), f"message_type must be one of {KNOWN_TEXTS}, got a number"),
    "type-id-7": ((esmd(CASE), {"message_type_id": 7}), "message_type_id must be one of 1, 2, 3, got 7"),
    "type-id-7-no-object": (([MARKER], {"message_type_id": 7}), "message_type_id must be one of 1, 2, 3, got 7"),
    "type-contradiction": (
        (esmd(CASE, message_type="UTN"), {"message_type_id": 1}),
        "message_type_id 1 (intake) contradicts message_type (utn_success)",
    ),
    "channel-7": ((esmd(CASE), {"channel_type_id": 7}), "channel_type_id must be one of 1, 2, 3, got 7"),
    "number-5000-digits": (
        f'{{"note": "{MARKER}", "number": {"9" * 5000}}}',
        "the message holds a value that can't be read, such as a huge number",
    ),
    "nested-5000-deep": (
        f'{{"note": "{MARKER}", "deep": {"[" * 5000}1{"]" * 5000}}}',
        "the message is nested too deeply to be read",
    ),
}


@pytest.mark.parametrize(("arrives", "reason"), DEAD.values(), ids=DEAD)
def test_it_is_dead_at_once_with_its_reason_and_harms_no_neighbour(arrives, reason, caplog):
    job = send_amid_neighbours(arrives)
    assert drain() == JobCounts(done=199, dead=1)
    job.refresh_from_db()
    assert (job.status, job.attempt_count, job.error_kind) == ("DEAD", 1, "BadMessage")
    assert job.last_error == reason
    (error,) = job.errors
    assert (error["attempt"], error["kind"], error["message"]) == (1, "BadMessage", reason)
    assert MARKER not in f"{job.last_error} {job.errors} {job.note} {caplog.text}"
    assert not Packet.objects.filter(decision_tracking_id=CASE).exists()
    assert_neighbours_are_done(job)
    # The batch was not rolled back and tried one by one.
    assert "rolled back" not in caplog.text


def test_a_message_that_lost_its_meaning_after_its_ingest_is_dead():
    job = send_amid_neighbours(esmd(CASE, message_type=MARKER))
    IntegrationMessage.objects.filter(pk=job.message_id).update(payload=[MARKER])
    assert drain() == JobCounts(done=199, dead=1)
    job.refresh_from_db()
    assert job.last_error == f"message_type must be one of {KNOWN_TEXTS}, got null"


def test_a_row_deleted_after_its_ingest_has_no_effect():
    job = send_amid_neighbours(esmd(CASE))
    IntegrationMessage.objects.filter(pk=job.message_id).update(is_deleted=True)
    assert_done_without_effect(job, "the source row was deleted")


def test_a_row_that_is_gone_after_its_ingest_has_no_effect():
    job = send_amid_neighbours(esmd(CASE))
    IntegrationMessage.objects.filter(pk=job.message_id).delete()
    assert_done_without_effect(job, "the source row is gone")


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_broken_row_that_was_deleted_is_no_error(is_gone):
    job = send_amid_neighbours(esmd(CASE, message_type=MARKER))
    row = IntegrationMessage.objects.filter(pk=job.message_id)
    row.delete() if is_gone else row.update(is_deleted=True)
    assert_done_without_effect(job, "the source row is gone" if is_gone else "the source row was deleted")


def assert_done_without_effect(job, note):
    assert drain() == JobCounts(done=200)
    job.refresh_from_db()
    assert (job.status, job.note, job.errors, job.attempt_count) == ("DONE", note, [], 1)
    assert not Packet.objects.filter(decision_tracking_id=CASE).exists()
    assert_neighbours_are_done(job)
