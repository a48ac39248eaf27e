"""JSON on a page: as it is stored, as Python reads it, or redacted; indented, escaped and cut at LENGTH_LIMIT.

Failure modes: Python can't read what PostgreSQL stores. The page shows it as stored; redacted, only its length.
"""

import json
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

from inbox.admin_pages.indent import indented
from inbox.admin_pages.redaction import redacted
from inbox.fields import UnreadableJson

LENGTH_LIMIT = 100_000
# JSON that is longer when indented is shown as it is stored.
INDENT_LIMIT = 10 * LENGTH_LIMIT
NOT_READABLE = "not readable"
TOO_DEEP = f"{NOT_READABLE}: nested too deeply."
NOT_DECODED = f"{NOT_READABLE}: a number is too long, or the nesting too deep"


def payload_html(text: str | None, *, is_revealed: bool) -> SafeString | str | None:
    """A JSON text: as it is stored, or redacted."""
    if text is None:
        return None
    if is_revealed:
        return stored_html(text)
    if len(text) > INDENT_LIMIT:
        return f"{len(text):,} characters: too long to be shown redacted."
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = UnreadableJson(text)
    return redacted_html(value)


def stored_html(text: str) -> SafeString:
    """A JSON text with each number as it is stored, which Python would round."""
    return preformatted(indented(text, INDENT_LIMIT))


def redacted_html(value: Any) -> SafeString | str | None:
    """A JSON value with its keys and structure, without its texts and numbers."""
    if isinstance(value, UnreadableJson):
        return f"{NOT_DECODED}; {len(value):,} characters."
    try:
        return value_html(redacted(value))
    except RecursionError:
        return TOO_DEEP


def value_html(value: Any) -> SafeString | None:
    """A JSON value; if Python can't read it, its text as stored with a hint."""
    if value is None:
        return None
    if isinstance(value, UnreadableJson):
        return preformatted(str(value), f"{NOT_DECODED}. As it is stored:")
    try:
        return preformatted(json.dumps(value, indent=2, ensure_ascii=False))
    except RecursionError:
        # It was decoded near the top of the stack; a template renders far below.
        return preformatted("", TOO_DEEP)


def preformatted(text: str, hint: str = "") -> SafeString:
    """The first LENGTH_LIMIT characters of a text, escaped."""
    if len(text) > LENGTH_LIMIT:
        text = f"{text[:LENGTH_LIMIT]}\n… and {len(text) - LENGTH_LIMIT:,} more characters"
    return format_html(
        '{}<pre style="margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; max-height: 40em; overflow-y: auto">'
        "{}</pre>",
        hint,
        text,
    )
