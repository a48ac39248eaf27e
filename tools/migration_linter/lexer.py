"""Splits SQL into statements of one line each, so that rules can tell keywords from names, strings and comments.

Anything that was not quoted, and so may be a keyword, is in upper case. A quoted name is in lower case, a string is ''.
A DO block, and the strings in it, give the statements inside them; the body of a function is only stored, and left out.

This is a lexer, not a parser: it accepts any text, also SQL that PostgreSQL would refuse.
"""

import re
from collections.abc import Iterator

TOKEN = re.compile(
    r"""
    (?P<skip>   \s+ | --[^\n]* )
  | (?P<open>   /\* )
  | (?P<body>   \$(?P<tag>(?:[^\W\d]\w*)?)\$ (?P<inside>.*?) \$(?P=tag)\$ )
  | (?P<text>   [eE]'(?:[^'\\]|\\.|'')*' | (?:[uU]&|[bBxXnN])?'(?:[^']|'')*' )
  | (?P<quoted> (?:[uU]&)?"(?:[^"]|"")*" )
  | (?P<word>   [^\W\d][\w$]* )
  | (?P<number> \d[\w.]* )
  | (?P<sign>   \|\| | . )
    """,
    re.VERBOSE | re.DOTALL,
)
# Words of PL/pgSQL after which a statement begins; EXECUTE is one itself, but not in CREATE TRIGGER.
BEGINS = re.compile(r"\b(?:DECLARE|BEGIN|THEN|ELSE|LOOP)\b|(?=\bEXECUTE (?!FUNCTION\b|PROCEDURE\b))")


def read_statements(sql: str) -> Iterator[str]:
    """Each statement that runs if this text does."""
    for statement, texts in _read(sql):
        if re.match(r"DO\b", statement):
            for text in texts:
                yield from _block(text)
        else:
            yield statement


def _block(body: str) -> Iterator[str]:
    """EXECUTE may run a string of the block, so strings are read too; one that names no table does no harm."""
    for statement, texts in _read(body):
        yield from filter(None, (part.strip() for part in BEGINS.split(statement)))
        for text in texts:
            yield from read_statements(text)


def _read(sql: str) -> Iterator[tuple[str, list[str]]]:
    """Each statement, and the strings in it."""
    words: list[str] = []
    texts: list[str] = []
    for kind, token in _tokens(sql):
        if (kind, token) == ("sign", ";"):
            if words:
                yield _line(words), texts
            words, texts = [], []
        elif kind in ("body", "text"):
            words.append("''")
            texts.append(token)
        elif kind == "quoted":
            words.append(re.sub(r"\W", "_", token.lower()))
        else:
            words.append(token.upper())
    if words:
        yield _line(words), texts


def _line(words: list[str]) -> str:
    """A name keeps its schema, unless that is public, where the project's tables are."""
    line = re.sub(r" ?\. ?", ".", " ".join(words))
    line = re.sub(r"\bONLY \( ([\w.$]+) \)", r"ONLY \1", line)
    return re.sub(r"\bpublic\.", "", line, flags=re.IGNORECASE)


def _tokens(sql: str) -> Iterator[tuple[str, str]]:
    at = 0
    while match := TOKEN.match(sql, at):
        at = match.end()
        kind, token = match.lastgroup or "", match[0]
        if kind == "open":
            at = _end_of_comment(sql, at)
        elif kind == "body":
            yield kind, match["inside"]
        elif kind == "text":
            yield kind, token[token.index("'") + 1 : -1].replace("''", "'")
        elif kind == "quoted":
            yield kind, token[token.index('"') + 1 : -1].replace('""', '"')
        elif kind != "skip":
            yield kind, token


def _end_of_comment(sql: str, at: int) -> int:
    """In PostgreSQL, comments nest."""
    depth = 1
    for mark in re.finditer(r"/\*|\*/", sql[at:]):
        depth += 1 if mark[0] == "/*" else -1
        if not depth:
            return at + mark.end()
    return len(sql)
