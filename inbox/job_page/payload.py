"""The payload on the page of a job: redacted, or by a logged reveal as it is."""

import json
import re
from collections.abc import Iterator

from inbox.admin_base import JSON_LENGTH_LIMIT, preformatted, redacted_json_text
from inbox.fields import UnreadableJson
from inbox.job_page.forms import MAX_CONTENT_LENGTH

TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[\]{},:]|[^\s\[\]{},:"]+', re.DOTALL)
OPENS, CLOSES = frozenset("[{"), frozenset("]}")


def indented(text: str) -> str:
    """A JSON text for a person to read: only the space between its tokens changes, so each number stays as it is
    stored, which Python would round. As it is, if it would be longer than a form takes: with a thousand levels, the
    space alone is a thousand times the text.
    """
    pieces, length = [], 0
    for piece in _pieces(text):
        length += len(piece)
        if length > MAX_CONTENT_LENGTH:
            return text
        pieces.append(piece)
    return "".join(pieces)


def _pieces(text: str) -> Iterator[str]:
    """The tokens with the space before each."""
    before, depth = "", 0
    for match in TOKEN.finditer(text):
        token = match[0]
        depth -= token in CLOSES
        if token in CLOSES and before in OPENS:
            space = ""
        elif token in CLOSES or before in OPENS or before == ",":
            space = "\n" + "  " * depth
        else:
            space = " " if before == ":" else ""
        depth += token in OPENS
        yield space + token
        before = token


def shown(text: str | None, *, revealed: bool) -> object:
    """A payload for the page."""
    if text is None:
        return None
    if revealed:
        return preformatted(indented(text))
    if len(text) > 10 * JSON_LENGTH_LIMIT:
        return f"{len(text):,} characters: too many to be shown redacted."
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = UnreadableJson(text)
    return redacted_json_text(value)
