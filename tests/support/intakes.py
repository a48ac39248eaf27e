"""Intake messages for tests, alone or amid 199 good ones of one batch, and what became of them."""

from inbox.models import InboxJob
from packets.models import Packet
from packets.samples.messages import good_messages, insert
from tests.support.drain import ingest_all, job_of
from tests.support.rows import esmd, send, tracking_id

CASE = tracking_id(1)
SNAKE_DOCUMENT = {
    "document_unique_identifier": "DOC-FAKE-1",
    "file_name": "request.pdf",
    "mime_type": "application/pdf",
    "file_size": 1024,
    "blob_path": "fake/2031/request.pdf",
}


def documents_of(packet):
    """The documents of a packet as tuples, by identifier."""
    columns = ("document_unique_identifier", "file_name", "mime_type", "file_size", "blob_path")
    return list(packet.documents.order_by("document_unique_identifier").values_list(*columns))


def portal(**values):
    """A Portal payload; `values` are cover sheet fields by their name with _ for blanks."""
    fields = {"Submitted Date": "2031-02-03"} | {name.replace("_", " "): value for name, value in values.items()}
    return {
        "messageType": "Portal",
        "packet_id": "PKT-2031-000001",
        "submission_metadata": {"creationTime": "2030-01-01T00:00:00Z"},
        "ocr": {"fields": {name: {"value": value, "confidence": 1} for name, value in fields.items()}},
        "documents": [SNAKE_DOCUMENT],
    }


def without(key):
    """A good esMD payload without one of its keys."""
    payload = esmd(CASE)
    del payload[key]
    return payload


def send_amid_neighbours(arrives):
    """Send a payload, or a payload and columns, between 199 good messages; ingest all; returns its job."""
    payload, columns = arrives if isinstance(arrives, tuple) else (arrives, {})
    neighbours = list(good_messages(199, seed=1))
    insert(neighbours[:100])
    message_id = send(payload, **{"decision_tracking_id": CASE} | columns)
    insert(neighbours[100:])
    ingest_all()
    assert InboxJob.objects.count() == 200
    return job_of(message_id)


def assert_neighbours_are_done(job):
    """All 199 neighbours are DONE at the first attempt, each with its packet."""
    others = InboxJob.objects.exclude(pk=job.pk)
    assert others.filter(status="DONE", attempt_count=1, errors=[], note=None).count() == 199
    assert Packet.objects.exclude(decision_tracking_id=CASE).filter(has_documents=True).count() == 199
