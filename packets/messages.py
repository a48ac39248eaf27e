"""Reads the source rows of a batch of jobs and decodes their payloads, one by one, so that none can spoil another."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import connection

from inbox.engine.corrections import corrected_texts
from inbox.outcomes import Outcome, dead, ignored
from inbox.registry import LockedJob

M = TypeVar("M")
T = TypeVar("T")

# In SQL, as the ORM takes 0.3 ms to build it, which counts where messages come one by one.
# Payloads come as text, so that each is decoded by itself.
READ = """
SELECT message_id, is_deleted, payload::text, message_type_id
  FROM integration_send_serviceops WHERE message_id = ANY(%s)
"""


class BadMessage(Exception):
    """The message can never be processed; the text says why, for a person, without any of its values."""


class NoMessage(Exception):
    """There is nothing to process any more; the text says why."""


@dataclass(frozen=True, slots=True)
class Message:
    """A job with the decoded payload of its source row. `message_type_id` is the column's."""

    job: LockedJob
    payload: Any
    message_type_id: int | None


def read_each(jobs: Sequence[LockedJob], parse: Callable[[Message], T]) -> tuple[dict[int, T], dict[int, Outcome]]:
    """Parse the message of each job; returns what was parsed and the outcomes of the others, both by inbox_id.

    A BadMessage is dead with its reason; a source row that is gone or deleted is ignored.
    """
    return read_rows(jobs, READ, Message, parse)


def read_rows(
    jobs: Sequence[LockedJob], sql: str, make: Callable[..., M], parse: Callable[[M], T]
) -> tuple[dict[int, T], dict[int, Outcome]]:
    """As `read_each`, of another table: `sql` gives message_id, is_deleted, the payload as text, and what else `make`
    takes after the job and the decoded payload. NoMessage is ignored with its reason. Where a person has corrected the
    message, the correction takes the place of the payload.
    """
    with connection.cursor() as cursor:
        cursor.execute(sql, [[job.message_id for job in jobs]])
        rows = {row[0]: row[1:] for row in cursor.fetchall()}
    corrected = [job.inbox_id for job in jobs if job.is_corrected]
    corrections = corrected_texts(corrected) if corrected else {}
    parsed: dict[int, T] = {}
    outcomes: dict[int, Outcome] = {}
    for job in jobs:
        is_deleted, text, *columns = rows.get(job.message_id, (False, None))
        try:
            if is_deleted:
                raise NoMessage("the source row was deleted")
            if text is None:
                raise NoMessage("the source row is gone")
            parsed[job.inbox_id] = parse(make(job, decode(corrections.get(job.inbox_id, text)), *columns))
        except NoMessage as error:
            outcomes[job.inbox_id] = ignored(str(error))
        except BadMessage as error:
            outcomes[job.inbox_id] = dead(str(error))
    return parsed, outcomes


def decode(text: str) -> Any:
    """The payload as Python values. Raises BadMessage for JSON that PostgreSQL stores but Python can't read."""
    try:
        return json.loads(text)
    except RecursionError:
        raise BadMessage("the payload is nested too deeply to be read") from None
    except ValueError:
        raise BadMessage(
            "the payload holds a value that can't be read, such as a number of thousands of digits"
        ) from None


def type_name(value: Any) -> str:
    """What a JSON value is, for error texts."""
    names = {
        dict: "an object",
        list: "a list",
        str: "a text",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return names.get(type(value), "null")
