"""Rows for tests, each in one line. Values are synthetic."""

import json
from datetime import timedelta
from uuid import UUID, uuid4

from django.db import connection
from django.utils import timezone

from inbox.models import InboxJob


def seconds_ago(seconds: float):
    """The time so many seconds before now; negative ones are in the future."""
    return timezone.now() - timedelta(seconds=seconds)


def job(**fields) -> InboxJob:
    """A job of the source `test`; `seconds_ago(7)` is a handy locked_at."""
    highest = InboxJob.objects.filter(source=fields.get("source", "test")).order_by("-message_id").first()
    defaults = {"source": "test", "message_type": "probe", "message_id": highest.message_id + 1 if highest else 1}
    if fields.get("status") == "PROCESSING":
        defaults |= {"locked_by": "somebody", "locked_at": seconds_ago(0), "lease_id": uuid4(), "attempt_count": 1}
    created = InboxJob.objects.create(**defaults | fields)
    created.refresh_from_db()
    return created


def tracking_id(number: int) -> UUID:
    """The tracking id of case `number`."""
    return UUID(f"00000000-0000-4000-8000-{number:012d}")


def document(number: int = 1, **fields) -> dict:
    """A good document of an intake payload."""
    return {
        "documentUniqueIdentifier": f"DOC-FAKE-{number}",
        "fileName": "request.pdf",
        "mimeType": "application/pdf",
        "fileSize": 1024,
        "blobPath": "fake/2031/request.pdf",
    } | fields


def esmd(tracking: UUID | None = None, **fields) -> dict:
    """A good esMD intake payload."""
    payload = {
        "message_type": "ingest_file_package",
        "submission_metadata": {
            "creationTime": "2031-02-03T04:05:06.0000000-05:00",
            "esmd_transaction_id": "TXN-FAKE-0001",
        },
        "documents": [document()],
    }
    if tracking:
        payload["decision_tracking_id"] = str(tracking)
    return payload | fields


def send(payload: object, tracking: UUID | None = None, **columns) -> int:
    """Insert a row as Integration does, by plain SQL; returns its message_id. `payload` may be ready JSON text."""
    text = payload if isinstance(payload, str) else json.dumps(payload)
    columns = {"decision_tracking_id": tracking, "payload": text} | columns
    names = ", ".join(columns)
    places = ", ".join(["%s"] * len(columns))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO integration_send_serviceops ({names}) VALUES ({places}) RETURNING message_id",
            list(columns.values()),
        )
        return cursor.fetchone()[0]
