"""The history of a job: its source row, then ingest, failed attempts, actions of operators, claim and end by time."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from inbox.admin_pages.privacy import NOT_SHOWN
from inbox.fields import readable
from inbox.models import InboxAudit, InboxJob
from inbox.statuses import Status

# The newest of each kind that the page shows.
LIMIT = 50


class Event(NamedTuple):
    """`at` is None if the time can't be read; `is_bad` if something failed."""

    at: datetime | None
    what: str
    who: str
    detail: str
    is_bad: bool = False


def timeline(job: InboxJob, deeds: Sequence[InboxAudit], *, is_revealed: bool) -> list[Event]:
    """All events of a job, oldest first. `deeds` are its audit entries; `is_revealed` shows what other systems said."""
    source_row = f"{job.source} {job.message_id}.{job.revision}"
    events = [Event(job.created_at, "Ingested", "", f"as {job.message_type}")]
    events += [_failure(error, is_revealed) for error in _errors(job)]
    events += [Event(deed.at, deed.verb.capitalize(), deed.who, deed.reason) for deed in deeds if deed.verb != "reveal"]
    if job.status == Status.PROCESSING:
        events.append(Event(job.locked_at, "Claimed", job.locked_by or "", f"attempt {job.attempt_count}"))
    if job.finished_at or job.finished_by:
        is_dead = job.status == Status.DEAD
        what, detail = ("Dead", job.last_error) if is_dead else ("Done", job.note)
        events.append(Event(job.finished_at, what, job.finished_by or "", detail or "", is_dead))
    events.sort(key=lambda event: event.at.timestamp() if event.at else 0.0)
    return [Event(job.source_created_at, "Source row written", "", source_row), *events]


def has_response(job: InboxJob) -> bool:
    """True if its errors hold what another system said, which only a reveal shows."""
    return any("said" in error for error in _errors(job))


def _errors(job: InboxJob) -> list[dict[str, Any]]:
    errors = job.errors if isinstance(job.errors, list) else []
    return [error for error in errors[-LIMIT:] if isinstance(error, dict)]


def _failure(error: dict[str, Any], is_revealed: bool) -> Event:
    what = f"Attempt {error.get('attempt', '?')} failed"
    detail = f"{error.get('kind')}: {error.get('message')}"
    if "said" in error:
        detail += f". Response: {error['said'] if is_revealed else NOT_SHOWN}"
    return Event(_time(error.get("at")), what, str(error.get("worker") or ""), detail, True)


def _time(text: object) -> datetime | None:
    """The time in an ISO text, in UTC if it names no zone; None for any other text."""
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return readable(at if at.tzinfo else at.replace(tzinfo=UTC))
