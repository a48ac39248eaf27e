"""Documents of an intake: an absent list is fine, a wrong one is a bad message."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from packets.messages import BadMessage, type_name
from packets.values import pick, short_text

MAX_PATH = 1024
MAX_BIGINT = 2**63 - 1
URL_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:")


@dataclass(frozen=True)
class Document:
    """`file_size` is in bytes, None if unknown."""

    document_unique_identifier: str
    file_name: str
    mime_type: str
    file_size: int | None
    blob_path: str | None


def parse_documents(value: Any) -> tuple[Document, ...]:
    """The documents, each identifier once (the last one counts). Raises BadMessage."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise BadMessage(f"documents is {type_name(value)}; a list is needed")
    documents = [_parse(number, item) for number, item in enumerate(value, start=1)]
    return tuple({document.document_unique_identifier: document for document in documents}.values())


def _parse(number: int, item: Any) -> Document:
    if not isinstance(item, dict):
        raise BadMessage(f"document {number} is {type_name(item)}; an object is needed")
    return Document(
        document_unique_identifier=_required(
            number,
            "identifier",
            pick(
                item, "document_unique_identifier", "documentUniqueIdentifier", "document_unique_id", "documentUniqueId"
            ),
        ),
        file_name=_required(number, "file name", pick(item, "file_name", "fileName")),
        mime_type=_required(number, "mime type", pick(item, "mime_type", "mimeType")),
        file_size=_size(pick(item, "file_size", "fileSize")),
        blob_path=_path(number, pick(item, "blob_path", "blobPath")),
    )


def _required(number: int, name: str, value: Any) -> str:
    text = short_text(value)
    if text is None:
        raise BadMessage(f"document {number} has no usable {name}")
    return text


def _size(value: Any) -> int | None:
    """0 means unknown in faxes; anything that is no positive whole number is unknown too."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_size = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_BIGINT
    return value if is_size else None


def _path(number: int, value: Any) -> str | None:
    if value is None or value == "":
        return None
    path = short_text(value, MAX_PATH)
    if path is None:
        raise BadMessage(f"document {number} has a path that is no text, or too long")
    # Whoever fetches the document may decode the path, so %2F is a slash and %2E a dot.
    decoded = unquote(path)
    if decoded.startswith(("/", "\\")):
        raise BadMessage(f"document {number} has a path that starts at the root")
    if URL_SCHEME.match(decoded):
        raise BadMessage(f"document {number} has a URL for a path")
    if ".." in re.split(r"[/\\]", decoded):
        raise BadMessage(f"document {number} has a path with ..")
    return path
