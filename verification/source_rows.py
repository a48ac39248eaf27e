"""Rows that another program sends, for races of ingest and sweep, and what became of them.

All values are synthetic. Where a scan starts depends on all rows that there are, so each round begins without any.
"""

from datetime import datetime, timedelta
from functools import partial, wraps
from itertools import count

from django.db import connection

from inbox.engine.ingest import ingest
from inbox.models import InboxJob, PollWatermark
from verification.patches import without_text
from verification.proof.stage import Stage
from verification.row import Race
from verification.scenes import SOURCE, end_jobs

INSERT_ROW = """
INSERT INTO integration_send_serviceops (message_id, payload, created_at) VALUES (%s, '{}', coalesce(%s, now()))
"""
# One poll of the source.
poll = partial(ingest, SOURCE)


# Polls whose effect is seen in time also on a machine that stands still now and then.


def poll_ahead() -> None:
    """One poll that reads a minute ahead of now, not a second."""
    with without_text("inbox.engine.ingest:SELECT_ROWS_ABOVE_WATERMARK", "'1 second'", "'1 minute'"):
        poll()


def poll_behind() -> None:
    """One poll of one row that reads the last hour again, not half a second."""
    with without_text("inbox.engine.ingest:SELECT_ROWS_ABOVE_WATERMARK", "'0.5 seconds'", "'1 hour'"):
        poll(limit=1)


# Out of the way of the ids that the database gives.
_numbers = count(10**9)


def clear() -> None:
    """Forget all rows that were sent, their jobs, and how far the source has been read."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM integration_send_serviceops")
    end_jobs()
    PollWatermark.objects.filter(source=SOURCE.name).delete()


def new_message_ids(number: int) -> list[int]:
    """Ids that no row has had, in ascending order."""
    return [next(_numbers) for _ in range(number)]


def on_empty_tables(race: Race) -> Race:
    """Decorator: the race begins without rows and jobs, and leaves none."""

    @wraps(race)
    def alone(stage: Stage) -> list[str]:
        clear()
        broken = race(stage)
        clear()
        return broken

    return alone


def send(*message_ids: int, at: datetime | None = None) -> None:
    """Send rows, stamped with the time `at` or, as usual, with that of their transaction."""
    with connection.cursor() as cursor:
        cursor.executemany(INSERT_ROW, [(message_id, at) for message_id in message_ids])


def ago(**age: float) -> datetime:
    """The time by the database's clock that lies so many `seconds`, `hours` or `days` back."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now - timedelta(**age)


def watermark() -> tuple[datetime | None, int | None]:
    """The time and the id to which the source has been read."""
    mark = PollWatermark.objects.get(source=SOURCE.name)
    return mark.last_created_at, mark.last_message_id


def lost(*message_ids: int) -> list[str]:
    """A sentence for each of these rows that has no job."""
    jobs = InboxJob.objects.filter(source=SOURCE.name, message_id__in=message_ids)
    without = set(message_ids).difference(jobs.values_list("message_id", flat=True))
    return [f"row {message_id} was passed, and has no job" for message_id in sorted(without)]
