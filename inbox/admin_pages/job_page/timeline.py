"""What happened to a job, oldest first: its source row, ingest, failed attempts, deeds of operators, its end."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from inbox.admin_pages.privacy import NOT_SHOWN
from inbox.fields import readable
from inbox.models import InboxAudit, InboxJob
from inbox.statuses import Status

# Newest of each kind that the page shows.
LIMIT = 50


class Event(NamedTuple):
    """`at` None: a time that can't be read. `is_bad`: something failed."""

    at: datetime | None
    what: str
    who: str
    detail: str
    is_bad: bool = False


def timeline(job: InboxJob, deeds: Sequence[InboxAudit], *, is_revealed: bool) -> list[Event]:
    """All events of the job; `deeds` are its audit entries, in any order. What others said only if revealed."""
    events = [Event(job.source_created_at, "Source row written", "", f"{job.source} {job.message_id}.{job.revision}")]
    events.append(Event(job.created_at, "Taken in", "", f"as {job.message_type}"))
    events += [_failed(error, is_revealed) for error in _errors(job)]
    events += [Event(deed.at, deed.verb.capitalize(), deed.who, deed.reason) for deed in deeds if deed.verb != "reveal"]
    if job.status == Status.PROCESSING:
        events.append(Event(job.locked_at, "Claimed", job.locked_by or "", f"attempt {job.attempt_count}"))
    if job.finished_at or job.finished_by:
        is_bad = job.status == Status.DEAD
        detail = job.last_error if is_bad else job.note
        events.append(Event(job.finished_at, "Dead" if is_bad else "Done", job.finished_by or "", detail or "", is_bad))
    first = events[0]
    rest = sorted(events[1:], key=lambda event: event.at.timestamp() if event.at else 0.0)
    return [first, *rest]


def has_refusal(job: InboxJob) -> bool:
    """True if somebody else's words are among its errors, which only a reveal shows."""
    return any("said" in error for error in _errors(job))


def _errors(job: InboxJob) -> list[dict[str, Any]]:
    errors = job.errors if isinstance(job.errors, list) else []
    return [error for error in errors[-LIMIT:] if isinstance(error, dict)]


def _failed(error: dict[str, Any], is_revealed: bool) -> Event:
    what = f"Attempt {error.get('attempt', '?')} failed"
    detail = f"{error.get('kind')}: {error.get('message')}"
    if "said" in error:
        detail += f". It said: {error['said'] if is_revealed else NOT_SHOWN}"
    return Event(_time(error.get("at")), what, str(error.get("worker") or ""), detail, True)


def _time(text: object) -> datetime | None:
    """The time that the text says, UTC if it says no zone; None for any other text."""
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return readable(at if at.tzinfo else at.replace(tzinfo=UTC))
