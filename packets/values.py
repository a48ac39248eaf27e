"""Small readers of JSON values that may be spelled two ways, absent, or of any type."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from packets.messages import BadMessage

# An explanation may be longer; what is longer than this is no explanation.
MAX_EXPLANATION = 4000
# Longer values are not names or numbers of people, and an index entry must stay below 2,700 bytes.
MAX_TEXT = 255


def pick(values: Mapping[str, Any], *spellings: str) -> Any:
    """The first of the spellings that is there and not null, else None."""
    for spelling in spellings:
        value = values.get(spelling)
        if value is not None:
            return value
    return None


def short_text(value: Any, limit: int = MAX_TEXT) -> str | None:
    """A text or whole number as stripped text; None if it is empty, too long or of another type: unknown."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) < 10**limit else ""
    if not isinstance(value, str):
        return None
    value = value.strip()
    return value if 0 < len(value) <= limit else None


def timestamp(value: Any) -> datetime | None:
    """An ISO 8601 time or date in UTC (UTC is meant where no zone is given); None if it can't be read."""
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value.strip())
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
        # Room for the due date, which is computed from this.
        time + timedelta(days=7)
    except (ValueError, OverflowError):
        return None
    return time


def require_same_tracking_id(value: Any, column: UUID) -> None:
    """Raises BadMessage if a tracking id inside the payload is malformed or not the row's; absent is fine."""
    if value is None:
        return
    try:
        is_same = isinstance(value, str) and UUID(value) == column
    except ValueError:
        raise BadMessage("the payload's decision_tracking_id is not a UUID") from None
    if not isinstance(value, str):
        raise BadMessage("the payload's decision_tracking_id is not a text")
    if not is_same:
        raise BadMessage("the payload's decision_tracking_id differs from the row's")


def explanation(value: Any, limit: int = MAX_EXPLANATION) -> str | None:
    """As `short_text`, for a text that a person has to read: cut where it is too long, rather than lost."""
    if isinstance(value, str):
        value = value.strip()[:limit]
    return short_text(value, limit)
