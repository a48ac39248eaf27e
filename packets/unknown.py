"""Messages that don't say what they are: each is dead with the reason."""

from collections.abc import Sequence

from inbox.outcomes import Outcome
from inbox.registry import LockedJob
from packets.messages import BadMessage, Message, read_each, type_name
from packets.source import TYPE_OF_ID, TYPE_OF_TEXT

KNOWN_IDS = ", ".join(map(str, TYPE_OF_ID))
KNOWN_TEXTS = ", ".join(TYPE_OF_TEXT)


def explain(jobs: Sequence[LockedJob]) -> list[Outcome]:
    """Say of each message why its type is not known."""
    _, outcomes = read_each(jobs, _raise_reason)
    return [outcomes[job.inbox_id] for job in jobs]


def _raise_reason(message: Message) -> None:
    by_id = message.message_type_id
    if by_id is not None and by_id not in TYPE_OF_ID:
        raise BadMessage(f"message_type_id is {by_id}, which is none of {KNOWN_IDS}")
    # Only an object can say something; it may have been changed since it was taken in.
    payload = message.payload if isinstance(message.payload, dict) else {}
    text = payload.get("message_type")
    if text is None:
        text = payload.get("messageType")
    if not isinstance(text, str):
        raise BadMessage(f"message_type is {type_name(text)}, not one of {KNOWN_TEXTS}")
    if by_id is not None and text in TYPE_OF_TEXT:
        raise BadMessage(f"message_type_id is {by_id} ({TYPE_OF_ID[by_id]}), but the text says {TYPE_OF_TEXT[text]}")
    raise BadMessage(f"message_type is none of {KNOWN_TEXTS}")
