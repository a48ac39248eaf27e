"""The order of messages of a case: the latest by (source created_at, message_id) counts."""

from datetime import UTC, datetime

# A row whose time can't be read sorts before all others.
BEGINNING = datetime.min.replace(tzinfo=UTC)


def order_key(created_at: datetime | None, message_id: int) -> tuple[datetime, int]:
    """The message of a kind with the greatest key counts."""
    return (created_at or BEGINNING, message_id)
