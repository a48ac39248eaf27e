"""Races need these on the scratch database: a source whose handler leaves a witness per job, rows, jobs and packets.

All values are synthetic. Each call makes new ones, so rounds don't disturb each other.
"""

from collections.abc import Sequence
from datetime import timedelta
from itertools import count
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from inbox.api import ByWatermark, LockedJob, Outcome, Source, done, register_source
from inbox.engine.enqueue import enqueue
from inbox.engine.reclaim import reclaim_all_stale
from inbox.job_counts import JobCounts
from inbox.models import InboxJob
from inbox.statuses import Status

_numbers = count(1)

CREATE_WITNESS = "CREATE TABLE IF NOT EXISTS verify_witness (inbox_id bigint)"


def leave_witnesses(jobs: Sequence[LockedJob]) -> list[Outcome]:
    """A handler that writes the key of each job, so that a second effect shows."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO verify_witness SELECT unnest(%s::bigint[])", [[job.inbox_id for job in jobs]])
    return [done() for _ in jobs]


SOURCE = Source(
    name="verify",
    command="none",
    reads=ByWatermark(table="integration_send_serviceops", message_type_sql="'witness'"),
    handlers={"witness": leave_witnesses},
)


def set_the_scene() -> None:
    """Register the source, and make the table of witnesses. Once per process."""
    register_source(SOURCE)
    with connection.cursor() as cursor:
        cursor.execute(CREATE_WITNESS)


def make_jobs(number: int) -> list[int]:
    """New due jobs of the source; returns their message ids."""
    messages = [(next(_numbers), uuid4()) for _ in range(number)]
    enqueue(SOURCE.name, "witness", messages)
    return [message_id for message_id, _ in messages]


def witnesses(inbox_ids: Sequence[int]) -> int:
    """How many effects these jobs have had."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM verify_witness WHERE inbox_id = ANY(%s)", [list(inbox_ids)])
        return cursor.fetchone()[0]


def make_claims_old() -> None:
    """All claims of the source become older than INBOX_STALE_AFTER."""
    old = Now() - timedelta(seconds=2 * settings.INBOX_STALE_AFTER)
    InboxJob.objects.filter(source=SOURCE.name, status=Status.PROCESSING).update(locked_at=old)


def reclaim_old() -> JobCounts:
    """Reclaim as a worker does now and then: claims older than INBOX_STALE_AFTER."""
    return reclaim_all_stale(
        stale_after_s=settings.INBOX_STALE_AFTER, max_attempts=settings.INBOX_MAX_ATTEMPTS, batch_size=100
    )


def new_tracking_id() -> UUID:
    """The tracking id of a case that nobody knows yet."""
    return uuid4()


def end_jobs() -> None:
    """Remove the jobs of the source, so that the next round finds only its own."""
    InboxJob.objects.filter(source=SOURCE.name).delete()
