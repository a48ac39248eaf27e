"""An intake makes a packet, or updates the one that exists."""

import pytest

from inbox.job_counts import JobCounts
from inbox.models import InboxJob
from packets.codes import CLOSED_STATUSES
from packets.models import Packet, PacketDocument
from tests.support.drain import drain, job_of
from tests.support.rows import document, esmd, seconds_ago, send, tracking_id

pytestmark = pytest.mark.django_db

CASE = tracking_id(1)
OLDER = "a newer intake of the same case has been applied"


def intake(transaction, *documents):
    metadata = {"creationTime": "2031-02-03T04:05:06Z", "esmd_transaction_id": transaction}
    return esmd(CASE, submission_metadata=metadata, documents=list(documents))


def packet():
    return Packet.objects.get(decision_tracking_id=CASE)


def document_ids():
    return sorted(packet().documents.values_list("document_unique_identifier", flat=True))


def events():
    return list(packet().events.values_list("what", flat=True))


@pytest.mark.parametrize("documents", [{"documents": None}, {}, {"documents": []}], ids=["null", "absent", "empty"])
def test_an_intake_without_documents_makes_a_flagged_packet_that_a_later_one_fills(documents):
    payload = esmd(CASE)
    del payload["documents"]
    send(payload | documents, CASE, created_at=seconds_ago(10))
    assert drain() == JobCounts(done=1)
    assert (packet().has_documents, document_ids()) == (False, [])
    send(esmd(CASE), CASE)
    assert drain() == JobCounts(done=1)
    assert (packet().has_documents, document_ids()) == (True, ["DOC-FAKE-1"])


def test_a_newer_intake_replaces_fields_and_documents():
    send(intake("TXN-FAKE-1", document(1), document(2)), CASE, created_at=seconds_ago(20))
    drain()
    before = packet()
    newer = send(intake("TXN-FAKE-2", document(2, fileName="newer.pdf"), document(3)), CASE, channel_type_id=3)
    drain()
    after = packet()
    assert (after.pk, after.external_id) == (before.pk, before.external_id)
    assert (after.case_id, after.intake_message_id) == ("TXN-FAKE-2", newer)
    assert document_ids() == ["DOC-FAKE-2", "DOC-FAKE-3"]
    assert after.documents.get(document_unique_identifier="DOC-FAKE-2").file_name == "newer.pdf"
    assert events() == ["created", "intake_replaced"]


def test_an_older_intake_is_ignored():
    send(intake("TXN-FAKE-2", document(2)), CASE, created_at=seconds_ago(10))
    drain()
    older = send(intake("TXN-FAKE-1", document(1)), CASE, created_at=seconds_ago(20))
    assert drain() == JobCounts(done=1)
    assert (packet().case_id, document_ids()) == ("TXN-FAKE-2", ["DOC-FAKE-2"])
    assert job_of(older).note == OLDER
    ignored = packet().events.get(what="intake_ignored")
    assert (ignored.job_id, ignored.reason) == (job_of(older).pk, OLDER)


def test_an_older_intake_of_the_same_batch_is_ignored():
    newer = send(intake("TXN-FAKE-2", document(2)), CASE, created_at=seconds_ago(10))
    older = send(intake("TXN-FAKE-1", document(1)), CASE, created_at=seconds_ago(20))
    assert drain() == JobCounts(done=2)
    assert (packet().case_id, document_ids()) == ("TXN-FAKE-2", ["DOC-FAKE-2"])
    assert (job_of(older).note, job_of(newer).note) == (OLDER, None)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_of_two_intakes_of_the_same_time_the_one_with_the_greater_message_id_counts(batch_size):
    when = seconds_ago(10)
    lower = send(intake("TXN-FAKE-1", document(1)), CASE, created_at=when)
    higher = send(intake("TXN-FAKE-2", document(2)), CASE, created_at=when, message_id=lower + 10)
    between = send(intake("TXN-FAKE-3", document(3)), CASE, created_at=when, message_id=lower + 5)
    assert drain(batch_size) == JobCounts(done=3)
    assert (packet().intake_message_id, document_ids()) == (higher, ["DOC-FAKE-2"])
    assert job_of(higher).note is None
    # One at a time, ingest's order lets `between` be the newest for a while.
    assert job_of(between).note == (None if batch_size == 1 else OLDER)


def test_an_intake_whose_time_cannot_be_read_is_older_than_all_others():
    send(intake("TXN-FAKE-1", document(1)), CASE, created_at=seconds_ago(10))
    drain()
    send(intake("TXN-FAKE-2", document(2)), CASE, created_at="infinity")
    drain()
    assert document_ids() == ["DOC-FAKE-1"]


def test_the_same_intake_again_changes_nothing():
    message_id = send(esmd(CASE), CASE)
    drain()
    before = Packet.objects.values().get()
    first = job_of(message_id)
    again = InboxJob.objects.create(
        source="integration",
        message_id=message_id,
        revision=2,
        message_type="intake",
        decision_tracking_id=CASE,
        source_created_at=first.source_created_at,
    )
    assert drain() == JobCounts(done=1)
    again.refresh_from_db()
    assert again.note == "this intake has been applied already"
    assert Packet.objects.values().get() == before
    assert PacketDocument.objects.count() == 1


@pytest.mark.parametrize("status", sorted(CLOSED_STATUSES))
def test_a_closed_packet_is_not_opened_again(status):
    send(intake("TXN-FAKE-1", document(1)), CASE, created_at=seconds_ago(10))
    drain()
    Packet.objects.update(detailed_status=status)
    later = send(intake("TXN-FAKE-2", document(2)), CASE)
    assert drain() == JobCounts(done=1)
    assert (packet().detailed_status, packet().case_id, document_ids()) == (status, "TXN-FAKE-1", ["DOC-FAKE-1"])
    assert job_of(later).note == f"the case is closed ({status})"
    assert packet().events.get(what="intake_ignored").reason == f"the case is closed ({status})"


@pytest.mark.parametrize(
    ("begun", "expected"),
    [
        ("Pending - Validation", "Pending - Manual Review"),
        ("Pending - Manual Review", "Pending - Manual Review"),
        ("Validation In Progress", "Validation In Progress"),
        ("Validation Complete", "Validation Complete"),
    ],
)
def test_a_newer_intake_does_not_undo_a_validation_that_has_begun(begun, expected):
    send(esmd(CASE), CASE, created_at=seconds_ago(10))
    drain()
    Packet.objects.update(validation_status=begun, detailed_status="Intake")
    send(esmd(CASE, ocr={"fields": {"Submission Type": {"value": "FAKE"}}}), CASE)
    drain()
    assert (packet().validation_status, packet().detailed_status) == (expected, "Intake")


def test_two_identical_documents_are_stored_once_and_the_last_counts():
    send(intake("TXN-FAKE-1", document(1), document(2), document(1, fileName="last.pdf")), CASE)
    assert drain() == JobCounts(done=1)
    assert document_ids() == ["DOC-FAKE-1", "DOC-FAKE-2"]
    assert packet().documents.get(document_unique_identifier="DOC-FAKE-1").file_name == "last.pdf"
