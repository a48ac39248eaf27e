"""Messages whose type is unknown: each is dead with the reason."""

from collections.abc import Sequence

from inbox.api import LockedJob, Outcome
from packets.messages import Message, read_each
from packets.source import TYPE_OF_ID, TYPE_OF_TEXT
from packets.values import BadMessage, pick, type_name

KNOWN_IDS = ", ".join(map(str, TYPE_OF_ID))
KNOWN_TEXTS = ", ".join(TYPE_OF_TEXT)


def explain(jobs: Sequence[LockedJob]) -> list[Outcome]:
    """Say of each message why its type is unknown."""
    _, outcomes = read_each(jobs, _raise_reason)
    return [outcomes[job.inbox_id] for job in jobs]


def _raise_reason(message: Message) -> None:
    by_id = message.columns["message_type_id"]
    if by_id is not None and by_id not in TYPE_OF_ID:
        raise BadMessage(f"message_type_id must be one of {KNOWN_IDS}, got {by_id}")
    # Only an object can have a type; the row may have been changed since it was ingested.
    payload = message.payload if isinstance(message.payload, dict) else {}
    text = pick(payload, "message_type", "messageType")
    if not isinstance(text, str):
        raise BadMessage(f"message_type must be one of {KNOWN_TEXTS}, got {type_name(text)}")
    if by_id is not None and text in TYPE_OF_TEXT:
        raise BadMessage(
            f"message_type_id {by_id} ({TYPE_OF_ID[by_id]}) contradicts message_type ({TYPE_OF_TEXT[text]})"
        )
    raise BadMessage(f"message_type must be one of {KNOWN_TEXTS}")
