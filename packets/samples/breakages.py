"""The ways in which an intake arrives broken: each spoils the columns of a good message, so that it ends DEAD."""

from collections.abc import Callable
from typing import Any

Columns = dict[str, Any]
OTHER_TRACKING_ID = "00000000-0000-4000-8000-000000000000"


def _columns(**values: Any) -> Callable[[Columns], None]:
    return lambda columns: columns.update(values)


def _keys(**values: Any) -> Callable[[Columns], None]:
    return lambda columns: columns["payload"].update(values)


def _document(**keys: Any) -> Callable[[Columns], None]:
    document = {
        "document_unique_identifier": "DOC-FAKE-1",
        "file_name": "test-1.pdf",
        "mime_type": "application/pdf",
        "blob_path": "fake/2031/test-1.pdf",
    }
    return _keys(documents=[document | keys])


def _type(message_type_id: int | None, message_type: Any) -> Callable[[Columns], None]:
    def spoil(columns: Columns) -> None:
        columns["message_type_id"] = message_type_id
        columns["payload"]["message_type"] = message_type

    return spoil


# Each works on the shapes whose metadata and documents are at the root, in snake_case.
BREAKAGES: dict[str, Callable[[Columns], None]] = {
    "documents is a string": _keys(documents="FAKE"),
    "documents is a number": _keys(documents=7),
    "documents is an object": _keys(documents={"FAKE": "TEST"}),
    "document is a string": _keys(documents=["FAKE"]),
    "document without identifier": _document(document_unique_identifier=None),
    "document without file name": _document(file_name=None),
    "document without mime type": _document(mime_type=None),
    "document path with ..": _document(blob_path="fake/../test-1.pdf"),
    "document path with leading /": _document(blob_path="/fake/test-1.pdf"),
    "document path is a foreign URL": _document(blob_path="https://fake.example/test-1.pdf"),
    "submission_metadata absent": lambda columns: columns["payload"].pop("submission_metadata"),
    "submission_metadata empty": _keys(submission_metadata={}),
    "submission_metadata is a string": _keys(submission_metadata="FAKE"),
    "payload null": _columns(payload=None),
    "payload {}": _columns(payload={}),
    "payload is a list": _columns(payload=["FAKE"]),
    "payload is a string": _columns(payload="FAKE"),
    "tracking id null": _columns(decision_tracking_id=None),
    "tracking id malformed": _keys(decision_tracking_id="FAKE"),
    "tracking id differs": _keys(decision_tracking_id=OTHER_TRACKING_ID),
    # The text decides only where message_type_id is null.
    "message_type unknown": _type(None, "FAKE"),
    "message_type is an object": _type(None, {"FAKE": "TEST"}),
    "message_type of 10,000 characters": _type(None, "FAKE" * 2500),
    "message_type_id 7": _columns(message_type_id=7),
    "message_type_id contradicts the text": _type(1, "UTN"),
}
