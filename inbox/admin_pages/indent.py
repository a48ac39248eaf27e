"""Indent: lays out a JSON text for a person without reading it.

Only the space between its tokens changes, so each number stays as it is stored, which Python would round, and any depth
will do. The text is JSON that the database gave.
"""

import re
from collections.abc import Iterator

TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[\]{},:]|[^\s\[\]{},:"]+', re.DOTALL)
OPENS, CLOSES = frozenset("[{"), frozenset("]}")


def indented(text: str, at_most: int) -> str:
    """The text, indented; as it is, if it would be longer than `at_most` characters.

    With a thousand levels, the space alone is a thousand times the text.
    """
    pieces, length = [], 0
    for piece in _pieces(text):
        length += len(piece)
        if length > at_most:
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
