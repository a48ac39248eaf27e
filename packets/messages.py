"""Reads the source rows of a batch of jobs and decodes their messages one by one, so that none can spoil another."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from django.db import connection

from inbox.api import LockedJob, Outcome, dead, ignored
from inbox.engine.corrections import newest_corrections
from inbox.engine.ingest import READABLE_TIME
from packets.values import BadMessage, require_same_tracking_id, required

T = TypeVar("T")

# In SQL, as the ORM takes 0.3 ms to build it, which counts when messages arrive one by one.
# Messages are read as text, so that each is decoded by itself.
SELECT_MESSAGES = f"""
SELECT message_id, is_deleted, payload::text, message_type_id, decision_tracking_id, {READABLE_TIME} AS created_at
  FROM integration_send_serviceops AS s WHERE message_id = ANY(%s)
"""
REPLACED = "the source row is gone; its number has another message now"


class NoMessage(Exception):
    """There is nothing to process any more; the text says why."""


@dataclass(frozen=True, slots=True)
class Message:
    """A job with the decoded message of its source row, and further columns of that row by name.

    `corrected_at` is when a person corrected the message, None if nobody has.
    """

    job: LockedJob
    payload: Any
    columns: Mapping[str, Any] = field(default_factory=dict)
    corrected_at: datetime | None = None

    @property
    def is_of_another_case(self) -> bool:
        """True if the row, whose column decision_tracking_id was read, is of another case than the job."""
        return self.columns["decision_tracking_id"] != self.job.decision_tracking_id

    def as_object(self) -> dict[str, Any]:
        """The message, if it is an object of the row's case. Raises BadMessage."""
        if self.job.decision_tracking_id is None:
            raise BadMessage("the row's decision_tracking_id is null")
        values = required(self.payload, dict, "the message")
        require_same_tracking_id(values, self.job.decision_tracking_id)
        return values


def read_each(jobs: Sequence[LockedJob], parse: Callable[[Message], T]) -> tuple[dict[int, T], dict[int, Outcome]]:
    """Parse Integration's message of each job; returns what was parsed, and the outcomes of the others, by inbox_id.

    A BadMessage is dead with its reason; a source row that is gone, deleted or replaced is ignored.
    """

    def parse_own(message: Message) -> T:
        # The message of another time has a job of its own (HAS_NO_JOB in ingest.py). Here it must not act on this case.
        if message.is_of_another_case and message.columns["created_at"] != message.job.source_created_at:
            raise NoMessage(REPLACED)
        return parse(message)

    return read_rows(jobs, SELECT_MESSAGES, parse_own)


def read_rows(
    jobs: Sequence[LockedJob], sql: str, parse: Callable[[Message], T]
) -> tuple[dict[int, T], dict[int, Outcome]]:
    """As `read_each`, of any table: `sql` gives message_id, is_deleted, the message as text, and further columns.

    A NoMessage is ignored with its reason. A correction by a person takes the place of the message.
    """
    with connection.cursor() as cursor:
        cursor.execute(sql, [[job.message_id for job in jobs]])
        names = [column.name for column in cursor.description or ()][3:]
        rows = {row[0]: row[1:] for row in cursor.fetchall()}
    corrected = [job.inbox_id for job in jobs if job.is_corrected]
    corrections = newest_corrections(corrected) if corrected else {}
    parsed: dict[int, T] = {}
    outcomes: dict[int, Outcome] = {}
    for job in jobs:
        is_deleted, text, *values = rows.get(job.message_id, (False, None))
        try:
            if is_deleted:
                raise NoMessage("the source row was deleted")
            if text is None:
                raise NoMessage("the source row is gone")
            correction = corrections.get(job.inbox_id)
            payload = _decode(correction.text if correction else text)
            corrected_at = correction.made_at if correction else None
            parsed[job.inbox_id] = parse(Message(job, payload, dict(zip(names, values, strict=True)), corrected_at))
        except NoMessage as error:
            outcomes[job.inbox_id] = ignored(str(error))
        except BadMessage as error:
            outcomes[job.inbox_id] = dead(str(error))
    return parsed, outcomes


def _decode(text: str) -> Any:
    """Raises BadMessage for JSON that PostgreSQL stores but Python can't read."""
    try:
        return json.loads(text)
    except RecursionError:
        raise BadMessage("the message is nested too deeply to be read") from None
    except ValueError:
        raise BadMessage("the message holds a value that can't be read, such as a huge number") from None
