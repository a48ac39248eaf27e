"""Documents of an intake: the list may be absent, but not malformed."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from packets.values import BadMessage, pick, required, required_text

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
    items = required(value, list, "documents")
    documents = [_parse(f"document {number}", item) for number, item in enumerate(items, start=1)]
    return tuple({document.document_unique_identifier: document for document in documents}.values())


def _parse(name: str, item: Any) -> Document:
    values = required(item, dict, name)
    identifier = pick(
        values, "document_unique_identifier", "documentUniqueIdentifier", "document_unique_id", "documentUniqueId"
    )
    return Document(
        document_unique_identifier=required_text(identifier, f"{name}: identifier"),
        file_name=required_text(pick(values, "file_name", "fileName"), f"{name}: file name"),
        mime_type=required_text(pick(values, "mime_type", "mimeType"), f"{name}: mime type"),
        file_size=_size(pick(values, "file_size", "fileSize")),
        blob_path=_path(f"{name}: path", pick(values, "blob_path", "blobPath")),
    )


def _size(value: Any) -> int | None:
    """Faxes say 0 if they don't know; anything but a positive whole number is unknown too."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_size = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_BIGINT
    return value if is_size else None


def _path(name: str, value: Any) -> str | None:
    if value is None or value == "":
        return None
    path = required_text(value, name, MAX_PATH)
    # A program that fetches the document may decode the path, so %2F is a slash and %2E a dot.
    decoded = unquote(path)
    if decoded.startswith(("/", "\\")):
        raise BadMessage(f"{name} is absolute")
    if URL_SCHEME.match(decoded):
        raise BadMessage(f"{name} is a URL")
    if ".." in re.split(r"[/\\]", decoded):
        raise BadMessage(f"{name} contains ..")
    return path
