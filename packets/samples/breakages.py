"""The ways in which an intake arrives broken: each spoils the columns of a good message, so that it ends DEAD."""

from collections.abc import Callable
from typing import Any

Columns = dict[str, Any]
OTHER_TRACKING_ID = "00000000-0000-4000-8000-000000000000"


def _payload(value: Any) -> Callable[[Columns], None]:
    def spoil(columns: Columns) -> None:
        columns["payload"] = value

    return spoil


def _with(**keys: Any) -> Callable[[Columns], None]:
    def spoil(columns: Columns) -> None:
        columns["payload"] |= keys

    return spoil


def _column(name: str, value: Any) -> Callable[[Columns], None]:
    def spoil(columns: Columns) -> None:
        columns[name] = value

    return spoil


def _message_type(value: Any) -> Callable[[Columns], None]:
    """The text decides only where message_type_id is null."""

    def spoil(columns: Columns) -> None:
        columns["message_type_id"] = None
        columns["payload"]["message_type"] = value

    return spoil


def _document(**keys: Any) -> Callable[[Columns], None]:
    document = {
        "document_unique_identifier": "DOC-FAKE-1",
        "file_name": "test-1.pdf",
        "mime_type": "application/pdf",
        "blob_path": "fake/2031/test-1.pdf",
    }
    return _with(documents=[document | keys])


def _without_metadata(columns: Columns) -> None:
    del columns["payload"]["submission_metadata"]


def _contradiction(columns: Columns) -> None:
    columns["message_type_id"] = 1
    columns["payload"]["message_type"] = "UTN"


# Each works on the shapes whose metadata and documents stand at the root, in snake_case.
BREAKAGES: dict[str, Callable[[Columns], None]] = {
    "documents is a text": _with(documents="FAKE"),
    "documents is a number": _with(documents=7),
    "documents is an object": _with(documents={"FAKE": "TEST"}),
    "document is no object": _with(documents=["FAKE"]),
    "document without identifier": _document(document_unique_identifier=None),
    "document without file name": _document(file_name=None),
    "document without mime type": _document(mime_type=None),
    "document path with ..": _document(blob_path="fake/../test-1.pdf"),
    "document path with leading /": _document(blob_path="/fake/test-1.pdf"),
    "document path is a foreign URL": _document(blob_path="https://fake.example/test-1.pdf"),
    "submission_metadata absent": _without_metadata,
    "submission_metadata empty": _with(submission_metadata={}),
    "submission_metadata is no object": _with(submission_metadata="FAKE"),
    "payload null": _payload(None),
    "payload {}": _payload({}),
    "payload is a list": _payload(["FAKE"]),
    "payload is a text": _payload("FAKE"),
    "tracking id null": _column("decision_tracking_id", None),
    "tracking id malformed": _with(decision_tracking_id="FAKE"),
    "tracking id differs": _with(decision_tracking_id=OTHER_TRACKING_ID),
    "message_type unknown": _message_type("FAKE"),
    "message_type is an object": _message_type({"FAKE": "TEST"}),
    "message_type of 10,000 characters": _message_type("FAKE" * 2500),
    "message_type_id 7": _column("message_type_id", 7),
    "message_type_id contradicts the text": _contradiction,
}
