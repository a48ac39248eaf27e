"""Splits ALTER TABLE into its actions, so that no action is excused by the words of another."""

import re
from typing import NamedTuple

ALTER = re.compile(r"ALTER TABLE (?:IF EXISTS )?(?:ONLY )?(?P<table>[\w.$]+)(?: \*)? (?P<actions>.+)")
# Words after ADD that are not the name of a column.
ADDS = r"ADD (?!CONSTRAINT\b|CHECK\b|FOREIGN\b|UNIQUE\b|PRIMARY\b|NOT NULL\b|EXCLUDE (?:USING\b|\())"
COLUMN = re.compile(
    rf"(?:{ADDS}(?:COLUMN )?(?:IF NOT EXISTS )?"
    r"|ALTER (?!CONSTRAINT\b)(?:COLUMN )?"
    r"|DROP (?!CONSTRAINT\b)(?:COLUMN )?(?:IF EXISTS )?"
    r"|RENAME (?!TO\b|CONSTRAINT\b)(?:COLUMN )?)"
    r"(?P<column>[\w$]+)"
)


class Action(NamedTuple):
    """One action. Its text always has COLUMN and never IF EXISTS, so that rules need only one form."""

    table: str
    column: str | None
    text: str


def actions(sql: str) -> list[Action]:
    """The actions of this statement; none if it is not an ALTER TABLE."""
    if not (alter := ALTER.match(sql)):
        return []
    return [_action(alter["table"].lower(), text) for text in _split(alter["actions"])]


def outside_parentheses(text: str) -> str:
    """The text without its parentheses and their content."""
    while (less := re.sub(r"\([^()]*\)", "", text)) != text:
        text = less
    return " ".join(text.split())


def _action(table: str, text: str) -> Action:
    if not (match := COLUMN.match(text)):
        return Action(table, None, text)
    verb = text.split()[0]
    return Action(table, match["column"].lower(), f"{verb} COLUMN {match['column']}{text[match.end() :]}")


def _split(text: str) -> list[str]:
    """Split at commas outside parentheses and brackets."""
    parts, depth = [""], 0
    for sign in text:
        depth += (sign in "([") - (sign in ")]")
        if sign == "," and not depth:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts if part.strip()]
