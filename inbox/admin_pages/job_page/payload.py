"""The payload on the page of a job: redacted, or by a logged reveal as it is."""

import json

from inbox.admin_pages.indent import indented
from inbox.admin_pages.read_only import INDENT_LIMIT, preformatted, redacted_json_text
from inbox.fields import UnreadableJson


def shown(text: str | None, *, revealed: bool) -> object:
    """A payload for the page."""
    if text is None:
        return None
    if revealed:
        return preformatted(indented(text, INDENT_LIMIT))
    if len(text) > INDENT_LIMIT:
        return f"{len(text):,} characters: too many to be shown redacted."
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = UnreadableJson(text)
    return redacted_json_text(value)
