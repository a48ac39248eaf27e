"""Good synthetic intake payloads, one function per shape. Every value is a visible fake."""

import re
from collections.abc import Callable
from random import Random
from typing import Any
from uuid import UUID

from packets.codes import Channel

Payload = dict[str, Any]

SUBMISSION_WORDS = ("expedited-initial", "expedite", "urgent", "rush", "standard", "standard-initial", "routine", "")


def tracking_id(random: Random) -> UUID:
    """A random tracking id that shows that it is a fake."""
    return UUID(f"00000000-0000-4000-8{random.getrandbits(12):03x}-{random.getrandbits(48):012x}")


def esmd(random: Random, tracking: UUID) -> Payload:
    return {
        "message_type": "ingest_file_package",
        "decision_tracking_id": str(tracking),
        "submission_metadata": {"creationTime": _time(random), "esmd_transaction_id": _transaction(random)},
        "documents": _documents(random, _camel_document),
    }


def fax(random: Random, tracking: UUID) -> Payload:
    return {
        "messageType": "Fax",
        "decision_tracking_id": str(tracking),
        "submission_metadata": {"creationTime": _time(random)},
        "documents": _documents(random, _fax_document),
    }


def portal(random: Random, tracking: UUID) -> Payload:
    fields = {
        "Beneficiary First Name": "TEST",
        "Beneficiary Last Name": "FAKE",
        "Beneficiary Medicare ID": f"0FAKE{random.randrange(10**6):06d}",
        "Facility Provider Name": "TEST FACILITY",
        "Facility Provider NPI": f"0000{random.randrange(10**6):06d}",
        "Submission Type": random.choice(SUBMISSION_WORDS),
        "Submitted Date": f"2031-02-{random.randint(1, 28):02d}",
    }
    return {
        "messageType": "Portal",
        "decision_tracking_id": str(tracking),
        "packet_id": f"PKT-2031-{random.randrange(10**6):06d}",
        "submission_metadata": {"creationTime": _time(random)},
        "ocr": {
            "coversheet_type": "Medicare Part B",
            "fields": {name: {"value": value, "confidence": 1} for name, value in fields.items()},
        },
        "documents": _documents(random, _snake_document),
    }


def old_nested(random: Random, tracking: UUID) -> Payload:
    return {
        "ingest_data": {
            "decision_tracking_id": str(tracking),
            "unique_id": f"UNIQUE-FAKE-{random.randrange(10**6):06d}",
            "esmd_transaction_id": _transaction(random),
            "raw_payload": {
                "submissionMetadata": {"creationTime": _time(random)},
                "documents": _documents(random, _camel_document),
            },
        }
    }


def both_spellings(random: Random, tracking: UUID) -> Payload:
    return {
        "messageType": "ingest_file_package",
        "decisionTrackingId": str(tracking),
        "submissionMetadata": {"creation_time": _time(random), "esmdTransactionId": _transaction(random)},
        "documents": _documents(random, _snake_document),
    }


SHAPES: dict[str, tuple[Callable[[Random, UUID], Payload], Channel]] = {
    "esMD": (esmd, Channel.ESMD),
    "Fax": (fax, Channel.FAX),
    "Portal": (portal, Channel.PORTAL),
    "old nested": (old_nested, Channel.ESMD),
    "both spellings": (both_spellings, Channel.ESMD),
}


def _time(random: Random) -> str:
    return f"2031-02-{random.randint(1, 28):02d}T{random.randrange(24):02d}:{random.randrange(60):02d}:06.0000000-05:00"


def _transaction(random: Random) -> str:
    return f"TXN-FAKE-{random.randrange(10**6):06d}"


def _documents(random: Random, document: Callable[[Random, int], Payload]) -> list[Payload]:
    return [document(random, number) for number in range(1, random.randint(1, 3) + 1)]


def _snake_document(random: Random, number: int) -> Payload:
    return {
        "document_unique_identifier": f"DOC-FAKE-{number}",
        "file_name": f"test-{number}.pdf",
        "mime_type": "application/pdf",
        "file_size": random.randint(1, 10**6),
        "blob_path": f"fake/2031/test-{number}.pdf",
    }


def _camel_document(random: Random, number: int) -> Payload:
    document = _snake_document(random, number)
    return {re.sub("_(.)", lambda match: match[1].upper(), key): value for key, value in document.items()}


def _fax_document(random: Random, number: int) -> Payload:
    return {
        "document_unique_id": f"DOC-FAKE-{number}",
        "file_name": f"fax-{number}.tif",
        "mime_type": "image/tiff",
        "file_size": 0,
        "blob_path": f"fake/2031/fax-{number}.tif",
    }
