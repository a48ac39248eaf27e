"""Readers of JSON values that may be spelled two ways, absent, or of any type."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

T = TypeVar("T")

# An explanation may be longer than a name; anything beyond this is no explanation.
MAX_EXPLANATION = 4000
# No name or number of a person is longer, and an index entry must stay below 2,700 bytes.
MAX_TEXT = 255

TYPE_NAMES = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", int: "a number", float: "a number"}


class BadMessage(Exception):
    """The message can never be processed; the text says why, for a person, without any of its values."""


def pick(values: Mapping[str, Any], *spellings: str) -> Any:
    """The value of the first spelling that is present and not null, else None."""
    for spelling in spellings:
        value = values.get(spelling)
        if value is not None:
            return value
    return None


def type_name(value: Any) -> str:
    """The type of a JSON value, for error texts."""
    return TYPE_NAMES.get(type(value), "null")


def required(value: Any, kind: type[T], name: str) -> T:
    """The value, if it is a dict, list or str as `kind` says. Raises BadMessage."""
    if not isinstance(value, kind):
        raise BadMessage(f"{name} must be {TYPE_NAMES[kind]}, got {type_name(value)}")
    return value


def required_text(value: Any, name: str, limit: int = MAX_TEXT) -> str:
    """The value as `short_text` reads it. Raises BadMessage if that is None."""
    text = short_text(value, limit)
    if text is None:
        raise BadMessage(f"{name} must be a string of 1 to {limit} characters")
    return text


def short_text(value: Any, limit: int = MAX_TEXT) -> str | None:
    """A string or whole number as stripped text; None (unknown) if it is empty, too long or of another type."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) < 10**limit else ""
    if not isinstance(value, str):
        return None
    value = value.strip()
    return value if 0 < len(value) <= limit else None


def explanation(value: Any, limit: int = MAX_EXPLANATION) -> str | None:
    """As `short_text`, but a text that is too long is cut, as a person has to read it."""
    if isinstance(value, str):
        value = value.strip()[:limit]
    return short_text(value, limit)


def timestamp(value: Any) -> datetime | None:
    """An ISO 8601 time or date in UTC, which is also the zone if none is given; None if it can't be read."""
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value.strip())
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
        # Leaves room for the due date, which is computed from this.
        time + timedelta(days=7)
    except (ValueError, OverflowError):
        return None
    return time


def require_same_tracking_id(values: Mapping[str, Any], column: UUID | None) -> None:
    """Raise BadMessage if the tracking id inside a message is malformed or not the row's; it may be absent."""
    value = pick(values, "decision_tracking_id", "decisionTrackingId")
    if value is None:
        return
    text = required(value, str, "the message's decision_tracking_id")
    try:
        is_same = UUID(text) == column
    except ValueError:
        raise BadMessage("the message's decision_tracking_id is not a UUID") from None
    if not is_same:
        raise BadMessage("the message's decision_tracking_id differs from the row's")
