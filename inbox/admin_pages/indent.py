"""Indent: lays out JSON text from the database without decoding it.

Only the space between tokens changes, so numbers keep the digits that Python would round, and any depth works.
"""

import re
from collections.abc import Iterator

TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[\]{},:]|[^\s\[\]{},:"]+', re.DOTALL)
OPENS, CLOSES = frozenset("[{"), frozenset("]}")


def indented(text: str, at_most: int) -> str:
    """The text, indented; unchanged if it would then have more than `at_most` characters.

    A thousand levels of nesting can make the text a thousand times longer.
    """
    pieces, length = [], 0
    for piece in _pieces(text):
        length += len(piece)
        if length > at_most:
            return text
        pieces.append(piece)
    return "".join(pieces)


def _pieces(text: str) -> Iterator[str]:
    """The tokens, each with the space before it."""
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
