"""Which of two messages of a case counts: the later by (source created_at, message_id)."""

from datetime import UTC, datetime

# A row whose time can't be read sorts before all others.
BEGINNING = datetime.min.replace(tzinfo=UTC)


def order_key(created_at: datetime | None, message_id: int) -> tuple[datetime, int]:
    """Of two messages of one kind the one with the greater key counts."""
    return (created_at or BEGINNING, message_id)
