"""The payload on the page of a job: redacted, or by a logged reveal as it is."""

import json

from inbox.admin_base import JSON_LENGTH_LIMIT, json_text, redacted_json_text
from inbox.fields import UnreadableJson


def indented(text: str) -> str:
    """The JSON text for a person to read; as it is stored, if Python can't read it."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def shown(text: str | None, *, revealed: bool) -> object:
    """A payload for the page."""
    if text is None:
        return None
    if not revealed and len(text) > 10 * JSON_LENGTH_LIMIT:
        return f"{len(text):,} characters: too many to be shown redacted."
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = UnreadableJson(text)
    return json_text(value) if revealed else redacted_json_text(value)
